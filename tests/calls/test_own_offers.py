"""What a bridge offers of its own accord: how often, and what is left when a peer never takes it."""

from typing import Any

import pytest

from edge.calls.bridge import Bridge
from edge.calls.happenings import CallOver, Happening, SipHappened
from edge.calls.inbox import Inbox
from edge.calls.leg import Leg
from edge.media.engine import Plan
from edge.media.streams import direction_of
from edge.sip.events import InviteEvent, OfferAnswered, Offered, OfferRefused
from tests.support.raw_phone import sdp

BOTH, HOLDS, ULAW, ALAW, G729 = (
    sdp("192.0.2.9", 4000, *lines, formats=formats).encode()
    for formats, lines in (("0 8", ()), ("0 8", ("a=sendonly",)), ("0", ()), ("8", ()), ("18", ()))
)
LISTENS = HOLDS.replace(b"sendonly", b"recvonly")


class Usage:
    """A dialog usage that is up, and a media leg, which keep what they were told."""

    host, state, may_offer, told_early = "192.0.2.1", "up", True, False

    def __init__(self, port: int) -> None:
        self.port = port
        self.on_event: Any = None
        self.offered: list[str] = []
        self.refused: list[int] = []
        self.plan: Plan | None = None

    def offer_again(self, sdp: bytes, *, soon: bool = False, renewed: Any = None) -> None:
        self.offered.append(sdp.decode())

    def accept_offer(self, sdp: bytes) -> bool:
        return not self.refused

    def refuse_offer(self, status: int) -> None:
        self.refused.append(status)

    def update(self, plan: Plan) -> None:
        self.plan = plan


class Talk:
    """A bridge of two legs that agree on ``first``."""

    def __init__(self, first: bytes = BOTH) -> None:
        self.caller, self.target = (
            self._leg(name, port) for name, port in (("caller", 20000), ("target", 20002))
        )
        self.bridge = Bridge(self.caller, self.target)
        assert self.caller.hear(first) and self.target.hear(first)
        assert self.target.offer_of(self.caller.remote) and self.caller.answer_of(self.target.remote)
        assert self.bridge.relay()

    def _leg(self, name: Any, port: int) -> Leg:
        made = Leg(name, Usage(port), Inbox[Happening]())  # type: ignore[arg-type]
        made.attach(Usage(port))  # type: ignore[arg-type]
        return made

    def usage(self, leg: Leg) -> Any:
        return leg.invite

    def hears(self, leg: Leg, event: InviteEvent) -> None:
        self.bridge.handle(SipHappened(leg, event))

    def crosses(self, offer: bytes, answer: bytes) -> None:
        """The caller's offer, which it takes back as the target answers it."""
        self.hears(self.caller, Offered(offer, "INVITE"))
        self.usage(self.caller).refused.append(487)
        self.hears(self.target, OfferAnswered(answer))
        assert len(self.usage(self.target).offered) == 2, "it is offered what it had"


@pytest.fixture
async def talk() -> Talk:
    return Talk()


def version(offer: str) -> int:
    return int(offer.split("o=- ")[1].split()[1])


async def test_a_target_that_goes_back_to_what_it_had_has_that(talk: Talk) -> None:
    talk.crosses(HOLDS, LISTENS)
    talk.hears(talk.target, OfferAnswered(BOTH))
    assert not talk.bridge.busy and not talk.target.held
    assert direction_of(talk.target.remote.audio) == "sendrecv"  # type: ignore[union-attr,arg-type]


async def test_a_target_that_never_says_whether_it_goes_back_is_asked_once_more(talk: Talk) -> None:
    talk.crosses(HOLDS, LISTENS)
    for _ in range(2):
        assert talk.bridge.busy
        talk.hears(talk.target, OfferRefused(408, ""))
    offered = talk.usage(talk.target).offered
    assert [version(one) for one in offered] == [2, 3, 4]
    assert not talk.bridge.busy and talk.target.held, "what it took stands"
    assert direction_of(talk.target.remote.audio) == "recvonly"  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize("status", [488, 491, 500])
async def test_a_target_that_does_not_go_back_has_what_it_took(talk: Talk, status: int) -> None:
    talk.crosses(HOLDS, LISTENS)
    talk.hears(talk.target, OfferRefused(status, ""))
    assert not talk.bridge.busy and talk.target.held
    assert len(talk.usage(talk.target).offered) == 2 and not talk.usage(talk.caller).offered


async def test_who_never_said_that_it_took_an_offer_and_does_not_take_the_old_one_has_that(
    talk: Talk,
) -> None:
    talk.hears(talk.caller, Offered(HOLDS, "INVITE"))
    talk.hears(talk.target, OfferRefused(408, ""))
    talk.hears(talk.target, OfferRefused(488, ""))
    assert not talk.bridge.busy and not talk.target.held


async def test_a_target_that_keeps_the_codec_of_an_offer_that_came_to_nothing_is_followed(talk: Talk) -> None:
    talk.crosses(sdp("192.0.2.9", 4000, formats="8 9").encode(), sdp("192.0.2.9", 4000, formats="9").encode())
    talk.hears(talk.target, OfferRefused(488, ""))
    (offered,) = talk.usage(talk.caller).offered
    assert "RTP/AVP 9" in offered
    talk.hears(talk.caller, OfferAnswered(sdp("192.0.2.9", 4000, formats="9").encode()))
    assert not talk.bridge.busy


async def test_if_nobody_follows_the_other_there_is_no_call(talk: Talk) -> None:
    talk.crosses(sdp("192.0.2.9", 4000, formats="8 9").encode(), sdp("192.0.2.9", 4000, formats="9").encode())
    talk.hears(talk.target, OfferRefused(488, ""))
    talk.hears(talk.caller, OfferRefused(488, ""))
    assert "RTP/AVP 0" in talk.usage(talk.target).offered[-1], "the caller's"
    with pytest.raises(CallOver, match="share no codec"):
        talk.hears(talk.target, OfferRefused(488, ""))


async def test_a_target_that_does_not_take_its_new_callers_codec_has_it_take_the_targets(talk: Talk) -> None:
    assert talk.caller.hear(ALAW) and talk.target.hear(ULAW)
    talk.caller.local, talk.target.local = Talk(ALAW).caller.local, Talk(ULAW).target.local
    talk.bridge.ours.settle(talk.target)
    assert "RTP/AVP 8" in talk.usage(talk.target).offered[-1]
    talk.hears(talk.target, OfferRefused(488, ""))
    assert "RTP/AVP 0" in talk.usage(talk.caller).offered[-1]
    talk.hears(talk.caller, OfferAnswered(ULAW))
    assert not talk.bridge.busy
    assert talk.caller.media.plan.payloads == {0: 0}  # type: ignore[attr-defined]


@pytest.mark.parametrize("takes", [True, False])
async def test_what_is_out_to_a_caller_whose_target_gives_way_is_settled_with_the_next(
    talk: Talk, *, takes: bool
) -> None:
    """The caller took an offer that came to nothing, and has not said yet whether it goes back."""
    talk.hears(talk.target, Offered(sdp("192.0.2.9", 4000, formats="8 9").encode(), "UPDATE"))
    talk.hears(talk.caller, OfferAnswered(G729))
    took, back = talk.usage(talk.caller).offered
    talk.bridge.give_up()
    bridge = Bridge(talk.caller, Talk().target)
    assert bridge.busy, "another offer's answer would be taken for this one's"
    bridge.handle(SipHappened(talk.caller, OfferAnswered(BOTH) if takes else OfferRefused(488, "")))
    offered = talk.usage(talk.caller).offered[2:]
    if takes:
        assert not bridge.busy and not offered
        assert talk.caller.local is not None and talk.caller.local.to_bytes().decode() == back
    else:
        assert "RTP/AVP 0 8" in offered[0], "it keeps what it took, which the next target does not speak"
        assert version(offered[0]) > version(took)


def declines(talk: Talk, leg: Leg) -> None:
    """A peer takes an offer, and none of its audio."""
    talk.hears(leg, OfferAnswered(sdp("192.0.2.9", 0, formats="8").encode()))


async def other_codecs(talk: Talk) -> None:
    """The caller was told one codec, and its new target speaks another, which is offered to it."""
    assert talk.caller.hear(BOTH) and talk.target.hear(ALAW)
    talk.caller.local, talk.target.local = Talk(ULAW).caller.local, Talk(BOTH).target.local
    talk.bridge.ours.settle(talk.caller)
    assert "RTP/AVP 8" in talk.usage(talk.caller).offered[-1]


async def test_who_rather_has_no_audio_than_another_codec_has_its_own_again_and_is_followed(
    talk: Talk,
) -> None:
    await other_codecs(talk)
    declines(talk, talk.caller)
    offered = talk.usage(talk.caller).offered
    assert "RTP/AVP 0" in offered[-1] and version(offered[-1]) > version(offered[-2])
    talk.hears(talk.caller, OfferAnswered(ULAW))
    assert "RTP/AVP 0" in talk.usage(talk.target).offered[-1]
    talk.hears(talk.target, OfferAnswered(ULAW))
    assert not talk.bridge.busy
    assert talk.caller.media.plan.payloads == talk.target.media.plan.payloads == {0: 0}  # type: ignore[attr-defined]


async def test_who_has_no_audio_in_its_own_codec_either_has_none_for_now(talk: Talk) -> None:
    await other_codecs(talk)
    declines(talk, talk.caller)
    declines(talk, talk.caller)
    assert not talk.bridge.busy and not talk.usage(talk.target).offered


async def test_if_the_last_one_to_be_asked_has_no_audio_rather_than_it_there_is_no_call(talk: Talk) -> None:
    await other_codecs(talk)
    declines(talk, talk.caller)
    talk.hears(talk.caller, OfferAnswered(ULAW))
    with pytest.raises(CallOver, match="share no codec"):
        declines(talk, talk.target)
