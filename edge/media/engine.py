"""The media engine's port: what a call needs of media, whoever provides it.

A *media call* lies on one worker and has two or more *media legs*; each has a local RTP port.  A
leg's wanted state (``Plan``) is sent whole each time, so it is idempotent and can be replayed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, Self


class MediaUnavailable(Exception):
    """No worker or no port is left: answer 503."""


class NoAddress(MediaUnavailable):
    """We have no address in the family (IPv4, IPv6) of the peer's: answer 488."""


class Plan(NamedTuple):
    """Everything a worker must know of one leg; replaces what it knew before.

    ``remote`` is where the peer's SDP says it receives (None: not known, or c=0.0.0.0): packets
    go there until a valid source is latched.  ``send_to`` False mutes toward the peer (hold).
    ``payloads`` maps a payload type as *received on this leg* to what is *sent on the other
    leg*; others are dropped.  ``event_payload`` is this leg's own telephone-event type as
    received, None if not negotiated.  ``silence_ok`` True while on hold: no media timeout.
    ``play_payload``/``play_codec`` is how prompts and tones are encoded toward this leg.
    ``clock_rate`` is the audio codec's RTP clock in Hz, for the jitter.  Addresses are IP literals.
    """

    remote: tuple[str, int] | None
    remote_rtcp: tuple[str, int] | None = None
    rtcp_mux: bool = False
    receive: bool = True
    send: bool = True
    payloads: Mapping[int, int] = MappingProxyType({})
    event_payload: int | None = None
    play_codec: Literal["PCMU", "PCMA"] | None = None
    play_payload: int = 0
    ptime_ms: int = 20
    silence_ok: bool = False
    clock_rate: int = 8000


class LegCounters(NamedTuple):
    """What a leg saw, from the peer's side: packets and octets in and out, and what was dropped."""

    packets_in: int = 0
    packets_out: int = 0
    octets_in: int = 0
    octets_out: int = 0
    strays: int = 0  # wrong source
    unknown_payload: int = 0
    lost: int = 0  # gaps in the peer's sequence numbers
    jitter_ms: float = 0.0
    rtcp_in: int = 0
    rtcp_out: int = 0
    over_rate: int = 0  # above twice the codec's packet rate


@dataclass(frozen=True, slots=True)
class Dtmf:
    """One key press (RFC 4733, de-duplicated by timestamp): ``digit`` 0-9 * # A-D."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class PlayDone:
    """The prompt that ``play`` started came to its end (not sent when stopped or replaced)."""

    token: int


@dataclass(frozen=True, slots=True)
class MediaTimeout:
    """Neither RTP nor RTCP from this leg's peer for the configured time, and not on hold.

    Told again each time that the time has passed anew, while the leg is open.
    """


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """The worker that held this call is gone; the call can not go on."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a recording: its length in seconds, or why there is none (``error``)."""

    duration_s: float = 0.0
    error: str = ""


MediaEvent = Dtmf | PlayDone | MediaTimeout | WorkerDied


class MediaLeg(Protocol):
    """One side of a call's media."""

    host: str  # our address as the leg's peer reaches it, for SDP
    port: int  # local RTP port (even); RTCP is port + 1
    on_event: Callable[[MediaEvent], None] | None

    def host_for(self, heard: str) -> str:
        """Our address as the peer reaches it when it receives audio at ``heard``; raises NoAddress."""

    def update(self, plan: Plan) -> None:
        """The wanted state, whole."""

    def play(self, source: str, *, loop: bool = False) -> int:
        """Plays a loaded prompt (its id) or ``tone:ringback`` to this leg; answers a token."""

    def press(self, digits: str, payload_type: int, clock_rate: int) -> int:
        """Presses ``digits`` to the peer (``w``: half a second) as telephone-events of its ``payload_type``;
        ``PlayDone`` with the token answered tells the end."""

    def give_way(self) -> None:
        """What ``play`` started goes on until the leg that it is bridged with is heard."""

    def stop(self) -> None:
        """Stops what ``play`` started."""


class Recording(Protocol):
    """A recording that is being written.  It begins with the first leg that is heard."""

    def hear(self, leg: MediaLeg, track: int) -> None:
        """What the peer of that leg says from now on is that track (from 0)."""

    async def finish(self) -> Recorded:
        """Ends it; answers when the file is in its place, or can not be.  Never raises."""


class MediaCall(Protocol):
    """A call's media: legs on one worker.  A context manager that closes what is left."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    ready: bool  # it has been promised its ports; not while the worker that is to do so is being restarted

    def await_ports(self, tell: Callable[[], None]) -> None:
        """Calls ``tell`` once it is ``ready``, if that is before it is closed."""

    def leg(self, peer: str = "", heard: str = "") -> MediaLeg:
        """A new leg toward who speaks SIP from the address ``peer``, and said (if it did) that it receives
        audio at ``heard``.  Raises NoAddress, and MediaUnavailable, which is to be reckoned with from the
        third one on."""

    def bridge(self, a: MediaLeg, b: MediaLeg) -> None:
        """Relays between two legs, both ways, as their plans say."""

    @property
    def can_record(self) -> bool:
        """Whether there is a recorder now."""

    def record(self, name: str, tracks: int, limit_s: float) -> Recording:
        """A recording under that name (a relative path) of at most so many seconds.

        Raises MediaUnavailable without a recorder.
        """

    def unbridge(self) -> None: ...
    def close_leg(self, leg: MediaLeg) -> None:
        """Gives the leg's ports back (after their quarantine)."""

    async def counters(self) -> dict[int, LegCounters]:
        """The open legs' counters now, by local port (empty if the worker is gone)."""

    async def finish(self, *, hurry: bool = False) -> dict[int, LegCounters]:
        """Closes everything, at once if somebody waits for it; counters by local port (empty if the worker is
        gone)."""


class MediaEngine(Protocol):
    """An async context manager: workers run in the block."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    @property
    def ready(self) -> bool:
        """Whether ``call`` has ports for one more call: two legs, whenever it wants them."""

    @property
    def expected(self) -> bool:
        """Whether a worker that was lost is to be back so soon that a call may wait for its ports."""

    def call(self) -> MediaCall:
        """A new media call on the least loaded worker, or one that is expected; raises MediaUnavailable."""

    async def load_prompt(self, prompt_id: str, frames: dict[str, bytes]) -> None:
        """Makes a prompt playable: by codec, its raw 8 kHz octets (one octet = one sample)."""

    async def unload_prompt(self, prompt_id: str) -> None: ...
