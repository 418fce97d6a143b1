"""One side of a call: its INVITE dialog usage, its media leg, and what the two agreed in SDP.

The only place, with ``bridge``, where SIP and media meet.  ``local`` is what we last told the peer,
``remote`` what it last told us (RFC 3264); ``edge.media.negotiate`` makes one out of the other.
"""

from collections.abc import Callable
from typing import Literal

from edge.calls.happenings import Happening, MediaHappened, SipHappened
from edge.calls.inbox import Inbox
from edge.calls.outbound import Passage
from edge.media.codecs import Codec, is_voice
from edge.media.engine import MediaCall, MediaEvent, MediaLeg, NoAddress
from edge.media.familiar import read
from edge.media.negotiate import (
    Here,
    answer_locally,
    needs_reoffer,
    offer_ours,
    relay_answer,
    relay_offer,
)
from edge.media.plans import events_toward, named_port, plan_for, receives_at, share_voice
from edge.media.sdp import Description, SdpError
from edge.media.streams import RECEIVES, SENDS, direction_of, only_others, resumed
from edge.sip.events import InviteEvent
from edge.sip.invite import Invite


def description(sdp: bytes) -> Description | None:
    """The description in a body, or None if there is none or it can not be used."""
    if not sdp:
        return None
    try:
        return read(sdp)
    except SdpError:
        return None


def calling(
    name: Literal["caller", "target"], media: MediaCall, invite: Invite, inbox: Inbox[Happening]
) -> "Leg":
    """The leg of who sent us an INVITE, and may have offered something; raises MediaUnavailable."""
    offer = description(invite.offer)
    leg = Leg(name, media.leg(invite.flow.remote[0], receives_at(offer)), inbox)
    leg.remote = offer
    return leg


class Leg:
    """A leg: commands go to ``invite`` and ``media``; what happens goes to the call's inbox.

    ``at_once`` may deal with an event while the story waits for the next one, which spares its wake;
    it answers whether it did.  ``undecided`` is what the peer was told before an offer of ours that has no
    answer yet, and for which nobody waits: who had a part in it is gone.
    """

    __slots__ = (
        "_here", "at_once", "inbox", "invite", "local", "media", "name", "passage", "remote", "undecided",
    )  # fmt: skip

    def __init__(self, name: Literal["caller", "target"], media: MediaLeg, inbox: Inbox[Happening]) -> None:
        self.name = name
        self.media = media
        self.inbox = inbox
        self._here = Here(media.host, media.port, media.port)
        self.invite: Invite | None = None
        self.local: Description | None = None
        self.remote: Description | None = None
        self.undecided: Description | None = None
        self.passage: Passage | None = None
        self.at_once: Callable[[Leg, InviteEvent], bool] | None = None
        media.on_event = self._on_media

    def attach(self, invite: Invite) -> None:
        """Ties the leg to its dialog usage; events that waited arrive at once."""
        self.invite = invite
        invite.on_event = self._on_sip

    def detach(self) -> None:
        """Nothing more is heard of the dialog usage: the two are freed at once, not by a collection."""
        if self.invite is not None:
            self.invite.on_event = _ignore
        if self.passage is not None:
            self.passage.end()

    def _on_sip(self, event: InviteEvent) -> None:
        if self.at_once is None or not self.inbox.idle or not self.at_once(self, event):
            self.inbox.put(SipHappened(self, event))

    def _on_media(self, event: MediaEvent) -> None:
        self.inbox.put(MediaHappened(self, event))

    @property
    def here(self) -> Here:
        """Where we receive: at an address of the family (IPv4, IPv6) in which the peer does, or did before it
        named none (an old way to hold)."""
        peer = receives_at(self.remote)
        if not peer and self.local is not None and self.local.host is not None:
            return self._here._replace(host=self.local.host)
        if not peer or _same_family(peer, self._here.host):
            return self._here
        return self._here._replace(host=self.media.host_for(peer))

    # -- what to tell this leg's peer: each answers the SDP to send, or None when no codec is shared --

    def answer_locally(self, allowed: tuple[str, ...] | None = None) -> bytes | None:
        """The answer to this peer while only we talk to it (prompts, ringback)."""
        if self.remote is None:
            return None
        return self._tell(answer_locally(self.remote, self.here, allowed=allowed, previous=self.local))

    def take_alone(
        self, offer: bytes, allowed: tuple[str, ...] | None = None, said: Description | None = None
    ) -> bool:
        """Answers an offer of this peer (empty: makes one) while only we talk to it; False, and nothing is
        changed, if it comes to nothing.  ``said`` is what somebody said who is to talk with it later."""
        assert self.invite is not None
        before = self.local, self.remote
        if not offer:
            answer = self.offer_ours() if said is None else self.offer_of(said)
        else:
            answer = self._answer_alone(offer, allowed, said)
        if answer is not None and self.invite.accept_offer(answer):
            if self.undecided is not None:  # that offer comes again: in glare the peer's own came first
                self.undecided = self.local
            return True
        self.local, self.remote = before
        self.invite.refuse_offer(488)
        return False

    def _answer_alone(
        self, offer: bytes, allowed: tuple[str, ...] | None, said: Description | None
    ) -> bytes | None:
        told, heard = self.local, self.remote
        offered = self.offered(offer)
        if offered is None:
            return None
        self.remote = offered
        if told is not None and heard is not None and heard.same_media(self.remote):
            return told.to_bytes()  # a refresh: what was agreed with somebody else stands
        return self.answer_locally(allowed) if said is None else self.answer_of(said)

    def offer_ours(self) -> bytes:
        """An offer of our own, when the peer sent none."""
        self.local = offer_ours(self.here, previous=self.local)
        return self.local.to_bytes()

    def offer_of(
        self, said: Description | None, allowed: tuple[str, ...] | None = None, first: str | None = None
    ) -> bytes | None:
        """What the other leg's peer said of itself, offered to this one from our own address."""
        if said is None:
            return None
        return self._tell(relay_offer(said, self.here, allowed=allowed, first=first, previous=self.local))

    def answer_of(self, said: Description | None) -> bytes | None:
        """The same as the answer to this peer, whose offer it was."""
        if self.remote is None or said is None:
            return None
        return self._tell(relay_answer(self.remote, said, self.here, previous=self.local))

    def tell_again(self, told: Description) -> bytes | None:
        """What was agreed before the peer was ``told`` something else, as a description newer than that."""
        if self.local is None:
            return None
        return self._tell(_newer(self.local, told))

    def not_taken(self, status: int) -> bytes | None:
        """The peer refused the offer for which nobody waited: what it was told before stands.  Offered anew,
        if that offer was only given up (408): it may have taken it all the same."""
        told, self.local, self.undecided = self.local, self.undecided, None
        return self.tell_again(told) if status == 408 and told is not None else None

    def refuses(self, status: int) -> None:
        """The same, of a peer that talks with nobody yet: that offer goes out at once."""
        again = self.not_taken(status)
        if again is not None and self.invite is not None:
            self.invite.offer_again(again, renewed=self.renewed)

    def renewed(self, offer: bytes) -> bytes:
        """An offer that may have waited, as it goes out: newer than what the peer was told meanwhile."""
        told = self.local
        if told is None or not offer or offer == told.to_bytes():
            return offer
        waited = description(offer)
        return offer if waited is None else self._tell(_newer(waited, told)) or offer

    def needs_reoffer(self, other: "Leg") -> bool:
        """Whether this peer must be offered anew: the other one chose a codec it was not told of."""
        return self.local is not None and other.remote is not None and needs_reoffer(self.local, other.remote)

    def may_speak_to(self, other: "Leg") -> bool:
        """Whether this peer was told of any voice codec that the other one takes, if it takes audio."""
        if self.local is None or other.remote is None or other.declined:
            return True
        return share_voice(self.local, other.remote)

    def offered(self, sdp: bytes) -> Description | None:
        """What the peer offers; None if it can not be used, has another stream in place of audio (a fax:
        there would be silence), or we have no address in the family of its."""
        said = description(sdp)
        if said is not None and only_others(said):
            return None
        peer = receives_at(said)
        if peer and not _same_family(peer, self._here.host):
            try:
                self.media.host_for(peer)
            except NoAddress:
                return None
        return said

    def hear(self, answer: bytes) -> bool:
        """Takes in what the peer answered; False if that is nothing usable (then nothing changes)."""
        said = description(answer)
        if said is None or self._astray(said):
            return False
        self.remote = said
        return True

    def unusable(self, answer: bytes) -> str:
        """What is wrong with an answer that was not taken in, in words that follow its name."""
        said = description(answer)
        if said is None or self.local is None or not self._astray(said):
            return "had no usable answer"
        return f"wants audio at {receives_at(said)}, and was offered it at {self.local.host}"

    def _astray(self, said: Description) -> bool:
        """Whether an answer names an address from which ours, as it was offered, can not be reached."""
        peer, told = receives_at(said), self.local.host if self.local is not None else None
        return bool(peer) and told is not None and not _same_family(peer, told)

    def off_hold(self) -> None:
        """Forgets that the peer was put on hold by one who is gone: others may hear it, and be heard."""
        if self.remote is not None and self.on_hold:
            self.remote = resumed(self.remote)

    @property
    def declined(self) -> bool:
        """Whether the peer's last word has no audio stream, or one with port 0 (RFC 3264 section 6)."""
        stream = self.remote.audio if self.remote is not None else None
        return stream is None or stream.port == 0

    @property
    def voice(self) -> str | None:
        """The name of the voice codec that we told the peer first, such as ``PCMU``."""
        if self.local is None:
            return None
        return next((c.name for m in self.local.media if m.port for c in m.codecs if is_voice(c)), None)

    @property
    def voices(self) -> tuple[str, ...]:
        """The names of the codecs that we told the peer, in order."""
        told = self.local.media if self.local is not None else []
        return tuple([c.name for m in told if m.port for c in m.codecs])

    @property
    def can_hear_us(self) -> bool:
        """Whether what we play can be encoded in the codec that we told the peer first."""
        return (self.voice or "").upper() in ("PCMU", "PCMA")

    @property
    def held(self) -> bool:
        """Whether what we last told the peer lets audio flow in one direction at most."""
        stream = self.local.audio if self.local is not None else None
        return stream is not None and direction_of(stream) != "sendrecv"

    @property
    def on_hold(self) -> bool:
        """Whether what we last told the peer says that nobody hears it: the other side has it on hold."""
        stream = self.local.audio if self.local is not None else None
        return stream is not None and not RECEIVES[stream.direction]

    @property
    def deaf(self) -> bool:
        """Whether the peer takes no audio: it has the other side on hold."""
        stream = self.remote.audio if self.remote is not None else None
        return stream is not None and stream.port != 0 and not RECEIVES[direction_of(stream)]

    @property
    def holds(self) -> bool:
        """Whether the peer takes none of the audio that it was offered: it holds by its answer."""
        stream = self.local.audio if self.local is not None else None
        return stream is not None and SENDS[stream.direction] and self.deaf

    @property
    def listens(self) -> bool:
        """Whether the peer would hear what we play."""
        stream = self.local.audio if self.local is not None else None
        return stream is not None and SENDS[stream.direction] and self.can_hear_us and not self.deaf

    @property
    def agreed(self) -> bool:
        """Whether the exchange with the peer left a voice codec."""
        return self.local is not None and self.remote is not None and share_voice(self.local, self.remote)

    @property
    def talks(self) -> bool:
        """Whether there is audio between the peer and us, as far as their exchange goes."""
        return self.agreed and not self.declined

    # -- media ----------------------------------------------------------------------------------------

    def plan(self, onward: "Leg | None" = None) -> bool:
        """Gives the worker this leg's wanted state; False if the exchange left no shared codec."""
        if self.local is None or self.remote is None:
            return False
        plan = plan_for(self.local, self.remote, onward.remote if onward else None)
        if plan is None:
            return False
        if plan.remote is None and (port := named_port(self.remote)):
            plan = plan._replace(remote=self._beside_its_sip(port))
        self.media.update(plan)
        return True

    def _beside_its_sip(self, port: int) -> tuple[str, int] | None:
        """Where a peer is looked for that names its host, until it is heard."""
        if self.invite is None or self.local is None:
            return None
        host, told = self.invite.flow.remote[0], self.local.host
        return (host, port) if told is not None and _same_family(host, told) else None

    @property
    def events(self) -> Codec | None:
        """The key presses that the peer takes; None if it takes none."""
        if self.local is None or self.remote is None:
            return None
        return events_toward(self.local, self.remote)

    def _tell(self, made: Description | None) -> bytes | None:
        if made is None:
            return None
        self.local = made
        return made.to_bytes()


def _same_family(host: str, other: str) -> bool:
    return (":" in host) == (":" in other)


def _newer(made: Description, told: Description) -> Description:
    """A description that says so of itself (RFC 3264 section 8)."""
    return Description(made.origin._replace(version=told.origin.version + 1), made.host, made.media)


def _ignore(_event: InviteEvent) -> None:
    """What comes after the end concerns nobody."""
