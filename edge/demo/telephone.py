"""What a scripted phone does with a call: rings, answers, listens, hangs up; each step is told."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from edge.demo.audio import Audio
from edge.demo.sound import Ear
from edge.media.codecs import TELEPHONE_EVENT
from edge.media.negotiate import Here, answer_locally, offer_ours, relay_offer
from edge.media.plans import plan_for
from edge.media.sdp import Description, SdpError, parse
from edge.media.streams import codecs_of
from edge.sip.endpoint import Endpoint
from edge.sip.events import (
    Acked,
    Answered,
    Cancelled,
    Ended,
    InviteEvent,
    OfferAnswered,
    Offered,
    OutgoingCall,
    Progress,
    Refused,
)
from edge.sip.invite import Invite

Tell = Callable[..., None]
RINGBACK = (440, 480)
_GOODBYE_S = 2.0


@dataclass(frozen=True, slots=True)
class Script:
    """How the phone behaves.

    ``tone`` (Hz) is what it sends, ``listen_for`` the tones (Hz) it knows from speech; it hangs up
    when it has heard the first of them for ``enough_s`` (0: never), or after ``at_most_s`` in all.
    ``codecs`` are those it speaks, out of PCMU and PCMA; ``key_payload`` its own number for key
    presses (None: as usual); ``press`` the keys it presses when it first hears that tone.  A phone
    that is called rings for ``ring_s``, then answers with ``status``.
    """

    tone: int
    listen_for: tuple[int, ...]
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    key_payload: int | None = None
    press: str = ""
    enough_s: float = 0.0
    at_most_s: float = 60.0
    ring_s: float = 0.0
    status: int = 200


@dataclass(frozen=True, slots=True)
class HangUp:
    """The phone has had enough."""

    why: Literal["heard", "time", "told"]


class Conversation:
    """One call at this phone: its dialog usage, its audio, and what was said in SDP."""

    def __init__(self, audio: Audio, host: str, script: Script, tell: Tell) -> None:
        self.audio = audio
        self.here = Here(host, audio.port, audio.port)
        self.inbox: asyncio.Queue[InviteEvent | HangUp] = asyncio.Queue()
        self.local: Description | None = None
        self._script = script
        self._tell = tell
        self._press = script.press
        audio.on_sound = self._listen
        audio.on_key = lambda digit: tell("key", digit=digit)

    @classmethod
    @asynccontextmanager
    async def opened(cls, host: str, script: Script, tell: Tell) -> AsyncIterator["Conversation"]:
        """With its audio open until the block is left; then what was heard is told."""
        ear = Ear({**{str(hertz): (hertz,) for hertz in script.listen_for}, "ringback": RINGBACK})
        async with Audio.opened(host, script.tone, ear, secrets.randbits(32)) as audio:
            yield cls(audio, host, script, tell)
        tell(
            "heard",
            tones=ear.heard.tones,
            other_s=ear.heard.other_s,
            packets_in=audio.packets_in,
            packets_out=audio.packets_out,
        )

    def attach(self, invite: Invite) -> None:
        """Takes the dialog usage's events in."""
        invite.on_event = self.inbox.put_nowait

    def hear(self, sdp: bytes) -> None:
        """Takes the peer's description in; one that is none changes nothing."""
        if not sdp or self.local is None:
            return
        try:
            remote = parse(sdp)
        except SdpError as error:
            self._tell("odd_description", why=str(error))
        else:
            self.audio.follow(plan_for(self.local, remote), _key_payload(remote))

    def answer_to(self, offer: bytes) -> bytes | None:
        """Our description: the answer to ``offer``, or an offer when that is empty; None: no codec."""
        codecs = self._script.codecs
        try:
            local = (
                answer_locally(parse(offer), self.here, allowed=codecs, previous=self.local)
                if offer
                else relay_offer(offer_ours(self.here), self.here, allowed=codecs, previous=self.local)
            )
        except SdpError:
            return None
        if local is None:
            return None
        if self._script.key_payload is not None:
            _renumber_keys(local, self._script.key_payload)
        self.local = local
        return local.to_bytes()

    def _listen(self) -> None:
        heard = self.audio.ear.heard.tones[str(self._script.listen_for[0])]
        if heard and self._press:
            self.audio.press(self._press)
            self._press = ""
        if self._script.enough_s and heard >= self._script.enough_s:
            self.audio.on_sound = None
            self.inbox.put_nowait(HangUp("heard"))

    async def talk(self, invite: Invite) -> None:
        """Until either side ends the call."""
        while True:
            event = await self.inbox.get()
            match event:
                case HangUp(why):
                    return self._tell("ended", by="us", why=why)
                case Ended(cause, reason):
                    return self._tell("ended", by="peer" if cause == "peer" else cause, why=reason or "")
                case Cancelled() | Refused():
                    return self._over(event)
                case _:
                    self._go_on(invite, event)

    def _go_on(self, invite: Invite, event: InviteEvent) -> None:
        match event:
            case Progress(status, reason, sdp):
                self.hear(sdp)
                self._tell("ringing", status=status, reason=reason, early_media=bool(sdp))
            case Answered(sdp):
                self.hear(sdp)
                invite.ack()
                self._tell("answered")
            case Acked(sdp) | OfferAnswered(sdp):
                self.hear(sdp)
            case Offered(sdp):
                self._answer_again(invite, sdp)

    def _answer_again(self, invite: Invite, sdp: bytes) -> None:
        answer = self.answer_to(sdp)
        if answer is None:
            invite.refuse_offer(488)
        else:
            invite.accept_offer(answer)
            self.hear(sdp)
            self._tell("offered_again")

    def _over(self, event: Cancelled | Refused) -> None:
        if isinstance(event, Refused):
            self._tell("refused", status=event.status, reason=event.reason)
        else:
            self._tell("cancelled", why=event.reason or "")


async def place_call(
    endpoint: Endpoint, host: str, script: Script, tell: Tell, *, to: str, caller: str
) -> None:
    """Calls ``to`` (a SIP URI) as ``caller``; returns when the call is over."""
    destination = (await endpoint.resolve(to))[0]
    async with Conversation.opened(host, script, tell) as conversation:
        offer = conversation.answer_to(b"") or b""
        invite = endpoint.call(OutgoingCall(to, destination, f"<sip:{caller}@{host}>", f"<{to}>", body=offer))
        conversation.attach(invite)
        await _talk(conversation, invite, script)


async def take_call(invite: Invite, host: str, script: Script, tell: Tell) -> None:
    """Rings, answers, and talks; returns when the call is over."""
    tell("called", number=invite.request.uri, headers=_shown(invite))
    async with Conversation.opened(host, script, tell) as conversation:
        conversation.attach(invite)
        answer = conversation.answer_to(invite.offer)
        if answer is None or script.status != 200:
            invite.reject(488 if answer is None else script.status)
        else:
            invite.progress(180)
            await asyncio.sleep(script.ring_s)
            invite.answer(answer)
            conversation.hear(invite.offer)
            await _talk(conversation, invite, script)


async def _talk(conversation: Conversation, invite: Invite, script: Script) -> None:
    loop = asyncio.get_running_loop()
    limit = loop.call_later(script.at_most_s, conversation.inbox.put_nowait, HangUp("time"))
    try:
        await conversation.talk(invite)
    finally:
        limit.cancel()
        invite.hang_up()
    # The BYE is answered, or repeated, only while the endpoint is open; no event tells of its end.
    with suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            while invite.state == "leaving":  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def _shown(invite: Invite) -> dict[str, str]:
    """The headers by which a buyer knows the call."""
    headers = invite.request.headers
    return {name: headers.get(name) or "" for name in ("From", "X-Edge-Call-ID")}


def _key_payload(description: Description) -> int | None:
    """The number by which key presses are to be sent to whoever described itself so."""
    return next((codec.payload for codec in codecs_of(description) if codec.key[0] == TELEPHONE_EVENT), None)


def _renumber_keys(description: Description, number: int) -> None:
    """Makes a description ask for key presses by a number of its own (RFC 3264 section 5.1)."""
    stream = description.audio
    if stream is not None:
        stream.codecs = tuple(
            codec.numbered(number) if codec.key[0] == TELEPHONE_EVENT else codec for codec in stream.codecs
        )
        stream.formats = " ".join(str(codec.payload) for codec in stream.codecs)
