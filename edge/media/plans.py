"""What an exchange of descriptions means to the media worker: one leg's ``Plan``.  Pure."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from edge.media.codecs import TELEPHONE_EVENT, Codec, is_voice
from edge.media.engine import Plan
from edge.media.sdp import Description, MediaDescription
from edge.media.streams import RECEIVES, SENDS, audio, codecs_of, direction_of, playable

_PACKET_TIMES = (10, 20, 30, 40, 60)


def plan_for(local: Description, remote: Description, onward: Description | None = None) -> Plan | None:
    """What the worker must know of a leg after an exchange; None if it shares no codec.

    ``onward`` is the other leg's *remote* description; without one nothing is relayed, while
    prompts and key presses work.
    """
    ours, theirs = audio(local), audio(remote)
    if ours is None or theirs is None:
        return None
    agreed = _agreement(ours.codecs, theirs.codecs, () if onward is None else codecs_of(onward))
    if agreed is None:
        return None
    direction = direction_of(theirs)
    send = RECEIVES[direction] and SENDS[ours.direction]
    receive = SENDS[direction] and RECEIVES[ours.direction]
    return Plan(
        remote=_remote(theirs),
        remote_rtcp=_remote_rtcp(theirs),
        rtcp_mux=ours.rtcp_mux and theirs.rtcp_mux,
        receive=receive,
        send=send,
        payloads=agreed.payloads,
        event_payload=agreed.event_payload,
        play_codec=agreed.play_codec,
        play_payload=agreed.play_payload,
        ptime_ms=_packet_time(theirs),
        silence_ok=not (send and receive),
        clock_rate=agreed.clock_rate,
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


def event_payload_toward(local: Description, remote: Description) -> int | None:
    """The payload type under which the peer takes telephone-events from us; None if it takes none."""
    ours, theirs = codecs_of(local), codecs_of(remote)
    pairs = _agreed(ours, theirs)
    voice = next((codec for _, codec in pairs if is_voice(codec)), None)
    events = [codec for _, codec in pairs if codec.key[0] == TELEPHONE_EVENT]
    if voice is None or not events:
        return None
    return min(events, key=lambda codec: codec.clock_rate != voice.clock_rate).payload


def share_voice(local: Description, remote: Description) -> bool:
    """Whether an exchange left a voice codec that both sides named: ``plan_for`` then has a plan."""
    return _agreement(codecs_of(local), codecs_of(remote), ()) is not None


def _law(codec: Codec) -> Literal["PCMU", "PCMA"]:
    return "PCMU" if codec.key[0] == "pcmu" else "PCMA"


def _agreed(ours: tuple[Codec, ...], theirs: tuple[Codec, ...]) -> list[tuple[Codec, Codec]]:
    """(ours, theirs) for each codec both sides named: numbers may differ (RFC 3264 section 5.1)."""
    known = {codec.key: codec for codec in reversed(ours)}
    return [(known[codec.key], codec) for codec in theirs if codec.key in known]


def _payload_map(pairs: list[tuple[Codec, Codec]], onward: tuple[Codec, ...]) -> dict[int, int]:
    numbers = {codec.key: codec.payload for codec in reversed(onward)}
    wanted = [(ours, theirs, numbers[ours.key]) for ours, theirs in pairs if ours.key in numbers]
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


def _remote(stream: MediaDescription) -> tuple[str, int] | None:
    if stream.port and stream.host is not None and _is_peer(stream.host):
        return stream.host, stream.port
    return None


def _remote_rtcp(stream: MediaDescription) -> tuple[str, int] | None:
    host, port = stream.rtcp or (None, stream.port + 1)
    host = host or stream.host
    if stream.port and host is not None and 0 < port < 65536 and _is_peer(host):
        return host, port
    return None


@lru_cache(maxsize=1024)
def _is_peer(host: str) -> bool:
    """Whether packets may go there: an address literal of one machine.

    A name is not looked up on the call path: the peer's first packet shows where it is.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or host == "255.255.255.255")


def _packet_time(stream: MediaDescription) -> int:
    """Milliseconds of audio a packet that we make: the peer's wish, within its maximum, else 20."""
    wanted = stream.ptime if stream.ptime in _PACKET_TIMES else 20
    if stream.maxptime and wanted > stream.maxptime:
        wanted = max((time for time in _PACKET_TIMES if time <= stream.maxptime), default=10)
    return wanted
