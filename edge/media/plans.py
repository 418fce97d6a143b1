"""What an exchange of descriptions means to the media worker: one leg's ``Plan``.  Pure."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from edge.media.codecs import TELEPHONE_EVENT, Codec, counterpart, is_voice
from edge.media.engine import Plan
from edge.media.sdp import Description, MediaDescription
from edge.media.streams import RECEIVES, SENDS, codecs_of, direction_of, playable

_PACKET_TIMES = (10, 20, 30, 40, 60)


def plan_for(local: Description, remote: Description, onward: Description | None = None) -> Plan | None:
    """What the worker must know of a leg after an exchange; None if it shares no codec.

    ``onward`` is the other leg's *remote* description; without one nothing is relayed, while
    prompts and key presses work.
    """
    ours, theirs = local.audio, remote.audio
    if ours is None or theirs is None:
        return None
    agreed = _agreement(ours.codecs, theirs.codecs, () if onward is None else codecs_of(onward))
    if agreed is None:
        return None
    direction = direction_of(theirs)
    send = RECEIVES[direction] and SENDS[ours.direction]
    receive = SENDS[direction] and RECEIVES[ours.direction]
    return Plan(
        *_addresses(theirs),
        ours.rtcp_mux and theirs.rtcp_mux,
        receive,
        send,
        agreed.payloads,
        agreed.event_payload,
        agreed.play_codec,
        agreed.play_payload,
        _packet_time(theirs.ptime, theirs.maxptime),
        not (send and receive),
        agreed.clock_rate,
    )


class _Agreement(NamedTuple):
    """What codecs alone make of a plan; shared by all calls that agree on the same."""

    payloads: Mapping[int, int]
    event_payload: int | None
    play_codec: Literal["PCMU", "PCMA"] | None
    play_payload: int
    clock_rate: int


# A trunk and a target agree on the same in nearly all their calls.
@lru_cache(maxsize=1024)
def _agreement(
    ours: tuple[Codec, ...], theirs: tuple[Codec, ...], onward: tuple[Codec, ...]
) -> _Agreement | None:
    pairs = _agreed(ours, theirs)
    voice = next((theirs_ for _, theirs_ in pairs if is_voice(theirs_)), None)
    if voice is None:
        return None
    play = next((codec for _, codec in pairs if playable(codec)), None)
    return _Agreement(
        _payload_map(pairs, onward),
        _event_payload(pairs, voice.clock_rate),
        None if play is None else _law(play),
        0 if play is None else play.payload,
        voice.clock_rate,
    )


def events_toward(local: Description, remote: Description) -> Codec | None:
    """The telephone-events that the peer takes from us; None if it takes none."""
    ours, theirs = codecs_of(local), codecs_of(remote)
    pairs = _agreed(ours, theirs)
    voice = next((codec for _, codec in pairs if is_voice(codec)), None)
    events = [codec for _, codec in pairs if codec.key[0] == TELEPHONE_EVENT]
    if voice is None or not events:
        return None
    return min(events, key=lambda codec: codec.clock_rate != voice.clock_rate)


def share_voice(local: Description, remote: Description) -> bool:
    """Whether an exchange left a voice codec that both sides named: ``plan_for`` then has a plan."""
    return _agreement(codecs_of(local), codecs_of(remote), ()) is not None


def _law(codec: Codec) -> Literal["PCMU", "PCMA"]:
    return "PCMU" if codec.key[0] == "pcmu" else "PCMA"


def _agreed(ours: tuple[Codec, ...], theirs: tuple[Codec, ...]) -> list[tuple[Codec, Codec]]:
    """(ours, theirs) for each codec both sides named: numbers may differ (RFC 3264 section 5.1)."""
    found = [(counterpart(codec, ours), codec) for codec in theirs]
    return [(known, codec) for known, codec in found if known is not None]


def _payload_map(pairs: list[tuple[Codec, Codec]], onward: tuple[Codec, ...]) -> dict[int, int]:
    found = [(ours, theirs, counterpart(ours, onward)) for ours, theirs in pairs]
    wanted = [(ours, theirs, other.payload) for ours, theirs, other in found if other is not None]
    payloads = {ours.payload: number for ours, _, number in wanted}
    for _, theirs, number in wanted:
        # Some peers send with the numbers of their own answer instead of those of our offer.
        payloads.setdefault(theirs.payload, number)
    return payloads


def _event_payload(pairs: list[tuple[Codec, Codec]], clock_rate: int) -> int | None:
    """Key presses share the voice's clock (RFC 4733 section 2.1); another clock is a last resort."""
    events = [ours for ours, _ in pairs if ours.key[0] == TELEPHONE_EVENT]
    events.sort(key=lambda codec: codec.clock_rate != clock_rate)
    return events[0].payload if events else None


def _addresses(stream: MediaDescription) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    """Where the peer says that it receives RTP and RTCP."""
    port = stream.port
    if not port:
        return None, None
    host = _peer(stream.host)
    remote = (host, port) if host else None
    if stream.rtcp is None:
        return remote, (host, port + 1) if host and port < 65535 else None
    named, port = stream.rtcp
    other = _peer(named) if named is not None else host
    # The port is of one family: RTCP that is wanted in the other is left to the place beside the RTP.
    reached = bool(other) and 0 < port < 65536 and (not host or (":" in other) == (":" in host))
    return remote, (other, port) if reached else None


def receives_at(said: Description | None) -> str:
    """The address at which a peer says that it receives audio; empty if it names none of one machine."""
    stream = said.audio if said is not None else None
    return _peer(stream.host) if stream is not None and stream.port else ""


def named_port(said: Description) -> int:
    """The port at which a peer receives that names its host instead of an address; 0 if it does not.

    A name is not looked up on the call path: the peer is looked for where its SIP comes from.
    """
    stream = said.audio
    return stream.port if stream is not None and _is_name(stream.host or "") else 0


@lru_cache(maxsize=1024)
def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return bool(host)
    return False


@lru_cache(maxsize=1024)
def _peer(host: str | None) -> str:
    """Where packets may go: the address literal of one machine, as the system writes it; else empty (a name,
    too).  An interface (``%eth0``) would be one of the peer's.
    """
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    text = str(address)
    return "" if address.is_multicast or address.is_unspecified or text == "255.255.255.255" else text


@lru_cache(maxsize=64)
def _packet_time(wish: int, most: int) -> int:
    """Milliseconds of audio a packet that we make: the peer's wish, within its maximum, else 20."""
    wanted = wish if wish in _PACKET_TIMES else 20
    if most and wanted > most:
        wanted = max((time for time in _PACKET_TIMES if time <= most), default=10)
    return wanted
