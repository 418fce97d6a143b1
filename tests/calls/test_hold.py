"""What the caller hears while the target has it on hold: the campaign's prompt, if it has one."""

from typing import Any, Literal

import pytest

from edge.calls.bridge import Bridge
from edge.calls.happenings import Happening, MediaHappened, SipHappened
from edge.calls.hold import HoldPrompt
from edge.calls.inbox import Inbox
from edge.calls.leg import Leg
from edge.media.engine import Dtmf
from edge.media.streams import direction_of
from edge.sip.events import Acked, Info, OfferAnswered, Offered, OfferRefused
from tests.support.raw_phone import sdp

MUSIC = "prm_music"


class Usage:
    """As much of a dialog usage, and of a media leg, as a bridge takes."""

    host, port, on_event, state, may_offer = "192.0.2.1", 20000, None, "up", True
    told = b""

    def __init__(self) -> None:
        self.offered: list[bytes] = []
        self.answered: list[bytes] = []
        self.heard: list[str | None] = []

    def offer_again(self, offer: bytes, **_: object) -> None:
        self.offered.append(offer)

    def accept_offer(self, answer: bytes) -> bool:
        self.answered.append(answer)
        return True

    def info(self, content_type: str, body: bytes) -> None:
        self.answered.append(body)

    def refuse_offer(self, status: int, reason: str | None = None) -> None:
        self.answered.append(b"%d" % status)

    def ack(self, answer: bytes = b"") -> None:
        self.answered.append(answer)

    def update(self, plan: object) -> None:
        pass

    def play(self, source: str, *, loop: bool = False) -> int:
        assert loop
        self.heard.append(source)
        return 1

    def stop(self) -> None:
        self.heard.append(None)


def leg(name: Literal["caller", "target"], formats: str) -> Leg:
    made = Leg(name, Usage(), Inbox[Happening]())  # type: ignore[arg-type]
    assert made.hear(said("sendrecv", formats))
    made.attach(Usage())  # type: ignore[arg-type]
    return made


def said(direction: str, formats: str = "0 8 101", *, host: str = "192.0.2.9") -> bytes:
    return sdp(host, 4000, f"a={direction}", formats=formats).encode()


class Talk:
    """Two who talk; the target asks for hold and takes it off."""

    def __init__(self, formats: str = "0 8 101") -> None:
        self.bridge = Bridge(leg("caller", formats), leg("target", formats))
        self.bridge.hold = HoldPrompt(MUSIC)
        assert self.bridge.caller.offer_of(self.bridge.target.remote)
        assert self.bridge.target.offer_of(self.bridge.caller.remote)
        self.bridge.relay()

    @property
    def heard(self) -> list[str | None]:
        """What was played to the caller; None is the end of it."""
        media: Any = self.bridge.caller.media
        return list(media.heard)

    def target_offers(self, direction: str, answer: str, **more: Any) -> tuple[str, str]:
        """The target's offer, the caller's answer: what the caller was offered, what the target was told."""
        caller: Any = self.bridge.caller.invite
        target: Any = self.bridge.target.invite
        before = len(caller.offered)
        self.bridge.handle(SipHappened(self.bridge.target, Offered(said(direction, **more), "INVITE")))
        if len(caller.offered) > before:
            self.bridge.handle(SipHappened(self.bridge.caller, OfferAnswered(said(answer))))
        return _direction(caller.offered[-1]), _direction(target.answered[-1])

    def caller_offers(self, direction: str, answer: str, **more: Any) -> str:
        """The caller's offer, the target's answer if it hears of it: what the caller was told."""
        caller: Any = self.bridge.caller.invite
        target: Any = self.bridge.target.invite
        before = len(target.offered)
        self.bridge.handle(SipHappened(self.bridge.caller, Offered(said(direction, **more), "INVITE")))
        if len(target.offered) > before:
            self.bridge.handle(SipHappened(self.bridge.target, OfferAnswered(said(answer, **more))))
        return _direction(caller.answered[-1])


def _direction(description: bytes) -> str:
    found = [line[2:] for line in description.decode().split() if line[2:] in
             ("sendrecv", "sendonly", "recvonly", "inactive")]  # fmt: skip
    return found[0] if found else "sendrecv"


@pytest.mark.parametrize(("hold", "told"), [("sendonly", "recvonly"), ("inactive", "inactive")])
async def test_the_caller_hears_the_prompt_until_the_target_is_back(hold: str, told: str) -> None:
    talk = Talk()
    assert talk.heard == []
    assert talk.target_offers(hold, "recvonly") == ("sendonly", told)
    assert talk.heard == [MUSIC]
    assert talk.target_offers("sendrecv", "sendrecv") == ("sendrecv", "sendrecv")
    assert talk.heard == [MUSIC, None]


async def test_a_zero_address_is_a_hold_as_well() -> None:
    talk = Talk()
    talk.target_offers("sendrecv", "recvonly", host="0.0.0.0")
    assert talk.heard == [MUSIC]


async def test_it_goes_on_when_the_hold_is_said_otherwise() -> None:
    """As some PBXs do, first to silence the line and then for music of their own."""
    talk = Talk()
    talk.target_offers("inactive", "recvonly")
    talk.target_offers("sendonly", "recvonly")
    assert talk.heard == [MUSIC]


async def test_without_a_prompt_the_caller_is_told_what_the_target_said() -> None:
    talk = Talk()
    talk.bridge.hold = None
    assert talk.target_offers("inactive", "inactive") == ("inactive", "inactive")
    assert talk.heard == []


@pytest.mark.parametrize("lines", [("0 101", "a=rtpmap:0 pcmu/8000"), ("101 13 0",)])
async def test_g711_is_known_in_small_letters_and_behind_what_is_no_voice(lines: tuple[str, ...]) -> None:
    """A target that is dialled with the caller's codecs, whose names and order are the caller's."""
    formats, *more = lines
    heard = sdp("192.0.2.9", 4000, *more, formats=formats).encode()
    talk = Talk(formats)
    talk.bridge.target.hear(heard)
    assert talk.bridge.caller.offer_of(talk.bridge.target.remote)
    assert talk.bridge.caller.can_hear_us
    talk.bridge.relay()
    talk.target_offers("sendonly", "recvonly", formats=formats)
    assert talk.heard == [MUSIC]


async def test_a_caller_that_would_not_hear_it_is_played_nothing() -> None:
    talk = Talk()
    talk.target_offers("sendonly", "inactive")
    assert talk.heard == []
    wide = Talk("9 0")  # G.722 first: we can not play in it
    assert wide.target_offers("inactive", "inactive", formats="9 0") == ("inactive", "inactive")
    assert wide.heard == []


async def test_a_hold_that_the_caller_refuses_is_none() -> None:
    talk = Talk()
    talk.bridge.handle(SipHappened(talk.bridge.target, Offered(said("inactive"), "INVITE")))
    talk.bridge.handle(SipHappened(talk.bridge.caller, OfferRefused(488, "Not Acceptable Here")))
    assert talk.heard == [] and talk.bridge.target.remote is not None
    assert talk.bridge.target.remote.audio is not None
    assert direction_of(talk.bridge.target.remote.audio) == "sendrecv"


async def test_a_hold_by_the_caller_is_not_played_to_the_caller() -> None:
    talk = Talk()
    talk.bridge.handle(SipHappened(talk.bridge.caller, Offered(said("sendonly"), "INVITE")))
    talk.bridge.handle(SipHappened(talk.bridge.target, OfferAnswered(said("recvonly"))))
    assert talk.heard == []


@pytest.mark.parametrize(
    "anew", [{"host": "192.0.2.10"}, {"formats": "8 0 101"}], ids=["another address", "other codecs"]
)
async def test_the_prompt_goes_on_when_the_caller_offers_anew(anew: dict[str, str]) -> None:
    talk = Talk()
    talk.target_offers("inactive", "recvonly")
    assert talk.caller_offers("sendrecv", "inactive", **anew) == "sendonly"
    assert talk.heard == [MUSIC]


async def test_a_caller_that_holds_as_well_hears_nothing_until_it_is_back() -> None:
    talk = Talk()
    talk.target_offers("inactive", "recvonly")
    assert talk.caller_offers("sendonly", "inactive") == "inactive"
    assert talk.heard == [MUSIC, None]
    assert talk.caller_offers("sendrecv", "inactive") == "sendonly"
    assert talk.heard == [MUSIC, None, MUSIC]


async def test_a_caller_that_goes_over_to_another_codec_is_told_what_the_target_said() -> None:
    """G.722: we can not play in it."""
    talk = Talk("0 9")
    talk.target_offers("inactive", "recvonly", formats="0 9")
    assert talk.heard == [MUSIC]
    assert talk.caller_offers("sendrecv", "inactive", formats="9") == "inactive"
    assert talk.heard == [MUSIC, None]


async def test_the_prompt_goes_on_when_the_caller_asks_for_an_offer() -> None:
    talk = Talk()
    talk.target_offers("inactive", "recvonly")
    caller: Any = talk.bridge.caller.invite
    talk.bridge.handle(SipHappened(talk.bridge.caller, Offered(b"", "INVITE")))
    talk.bridge.handle(SipHappened(talk.bridge.target, OfferAnswered(said("inactive"))))
    assert _direction(caller.answered[-1]) == "sendonly"
    talk.bridge.handle(SipHappened(talk.bridge.caller, Acked(said("recvonly"))))
    assert talk.heard == [MUSIC]


async def test_a_hold_that_is_said_in_an_ack_is_one() -> None:
    """The target asked the caller for an offer."""
    talk = Talk()
    caller: Any = talk.bridge.caller.invite
    talk.bridge.handle(SipHappened(talk.bridge.target, Offered(b"", "INVITE")))
    talk.bridge.handle(SipHappened(talk.bridge.caller, OfferAnswered(said("sendrecv"))))
    talk.bridge.handle(SipHappened(talk.bridge.target, Acked(said("inactive"))))
    assert _direction(caller.answered[-1]) == "sendonly"
    assert talk.heard == [MUSIC]


async def test_what_follows_an_offer_that_the_ack_leaves_unanswered_is_newer() -> None:
    """RFC 3264 section 8: a refresh, and what the target offers next."""
    talk = Talk()
    caller: Any = talk.bridge.caller.invite
    talk.bridge.handle(SipHappened(talk.bridge.caller, Offered(b"", "INVITE")))
    talk.bridge.handle(SipHappened(talk.bridge.target, OfferAnswered(said("sendrecv", "8 0 101"))))
    unanswered = caller.answered[-1]
    talk.bridge.handle(SipHappened(talk.bridge.caller, Acked(b"", unanswered=True)))
    assert _version(caller.told) > _version(unanswered)
    talk.target_offers("sendonly", "recvonly")
    assert _version(caller.offered[-1]) > _version(caller.told)


def _version(description: bytes) -> int:
    return int(description.split(b"o=- ")[1].split()[1])


@pytest.mark.parametrize("audio", [["m=audio 0 RTP/AVP 0"], []])
async def test_a_fax_that_takes_the_place_of_the_audio_is_refused_and_the_audio_goes_on(
    audio: list[str],
) -> None:
    """T.38: with every stream refused the call would be silent; after 488 the fax goes on in G.711."""
    talk = Talk()
    head, *_ = said("sendrecv").decode().partition("m=")
    fax = "\r\n".join([*audio, "m=image 5000 udptl t38", ""])
    talk.bridge.handle(SipHappened(talk.bridge.target, Offered((head + fax).encode(), "INVITE")))
    target: Any = talk.bridge.target.invite
    caller: Any = talk.bridge.caller.invite
    assert (target.answered, caller.offered, talk.heard) == ([b"488"], [], [])


@pytest.mark.parametrize(("target", "passed"), [("0", [b"Signal=5\r\nDuration=160\r\n"]), ("0 101", [])])
async def test_a_key_goes_by_info_to_a_target_that_takes_no_events(target: str, passed: list[bytes]) -> None:
    """The caller was told of them by us, to press keys in a menu, and so sends no tones."""
    talk = Talk("0 101")
    caller, answering = talk.bridge.caller, talk.bridge.target
    assert caller.answer_locally() and answering.hear(said("sendrecv", target))
    usage: Any = answering.invite
    talk.bridge.handle(MediaHappened(caller, Dtmf("5", 120)))
    assert usage.answered == passed
    again = Info("application/dtmf-relay", b"Signal=5\r\nDuration=120\r\n")
    talk.bridge.handle(SipHappened(caller, again))
    if passed:
        assert usage.answered == passed, "it tells a key both ways"
        talk.bridge.handle(SipHappened(caller, Info("application/other", b"1")))
        assert usage.answered == [*passed, b"1"]
