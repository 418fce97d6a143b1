"""Offer and answer of a back-to-back user agent that relays without transcoding (RFC 3264).

Pure functions over descriptions.  A leg keeps two: what we told its peer (*local*) and what the
peer told us (*remote*).  An offer that comes in on one leg goes out on the other with our own
address (``relay_offer``), and the answer comes back the same way (``relay_answer``), so that both
peers speak one codec and packets need no more than another payload number.  While only we talk to
a peer, ``answer_locally`` and ``offer_ours`` stand in for the other leg.

Every function that has to find a shared codec answers None when there is none (488).  Only plain
RTP audio is taken: other m-lines, and encrypted ones, are refused with port 0, and neither ICE nor
keys are passed on.  rtcp-mux is each leg's own: taken when its peer offers it, never offered first.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import NamedTuple

from edge.media.codecs import TELEPHONE_EVENT, Codec, counterpart, is_voice
from edge.media.sdp import Description, Direction, MediaDescription, Origin
from edge.media.streams import RECEIVES, SENDS, codecs_of, direction_of, playable

_OURS = (Codec(0, "PCMU", 8000), Codec(8, "PCMA", 8000), Codec(101, TELEPHONE_EVENT, 8000, "", "0-15"))


class Here(NamedTuple):
    """Where we receive on one leg (address as its peer reaches it, RTP port) and its constant o= number."""

    host: str
    port: int
    sess_id: int


def relay_offer(
    offer: Description,
    here: Here,
    *,
    allowed: Collection[str] | None = None,
    first: str | None = None,
    previous: Description | None = None,
) -> Description | None:
    """What one peer offered (or is known to speak), offered to the other from ``here``.

    The codecs keep their order and numbers, less those not in ``allowed`` (names, any case; None:
    all); ``first`` names one to put in front.  ``previous`` is what we last told this peer: its
    payload numbers stay bound (RFC 3264 section 8.3.2) and o= grows only with a change.
    """
    stream = offer.audio
    if stream is None or (stream.port == 0 and previous is None):
        return None
    codecs = _preferred(stream.codecs, None if allowed is None else tuple(allowed), first)
    if previous is not None:
        codecs = tuple(_renumbered(codecs, codecs_of(previous)))
    if not _have_voice(codecs):
        return None
    media = _media(here, "RTP/AVP", codecs, direction_of(stream), stream)
    return _describe(here, _in_place(media, previous), previous)


def relay_answer(
    offer: Description, answer: Description, here: Here, *, previous: Description | None = None
) -> Description | None:
    """The answer to one peer's ``offer``, out of the other peer's ``answer`` to the relayed one.

    The answerer's order, the offerer's payload numbers, the offer's m-lines one by one.
    """
    wanted, stream = offer.audio, answer.audio
    if wanted is None or stream is None or stream.port == 0:
        return None
    codecs = _answered(wanted.codecs, stream.codecs)
    if not _have_voice(codecs):
        return None
    media = _answer_media(here, wanted, codecs, direction_of(stream), stream)
    return _answer(offer, wanted, media, here, previous)


def answer_locally(
    offer: Description,
    here: Here,
    *,
    allowed: Collection[str] | None = None,
    previous: Description | None = None,
) -> Description | None:
    """The answer when it is us who play: the caller's first choice of PCMU and PCMA, and key presses.

    One voice codec only, so that the caller sends none that a target might not take later; not one
    outside ``allowed`` (names, any case; None: all).
    """
    wanted = offer.audio
    if wanted is None or (wanted.port == 0 and previous is None):
        return None
    codecs = _offerable(wanted.codecs, allowed)
    voice = next(filter(playable, codecs), None)
    if voice is None:
        return None
    events = [c for c in codecs if c.key[:2] == (TELEPHONE_EVENT, 8000)][:1]
    media = _answer_media(here, wanted, (voice, *events), "sendrecv", wanted)
    return _answer(offer, wanted, media, here, previous)


def offer_ours(here: Here, *, previous: Description | None = None) -> Description:
    """An offer when nobody has made one: both G.711 laws, and key presses as payload 101."""
    codecs = _OURS if previous is None else tuple(_renumbered(_OURS, codecs_of(previous)))
    media = _media(here, "RTP/AVP", codecs, "sendrecv")
    return _describe(here, _in_place(media, previous), previous)


def needs_reoffer(local: Description, onward: Description) -> bool:
    """Whether a peer that we have answered with ``local`` must be offered anew (re-INVITE).

    True when the other peer's answer ``onward`` prefers a codec that ``local`` does not hold: then
    ``relay_offer(onward, …, previous=local)`` is what to offer.
    """
    held = {codec.key for codec in codecs_of(local)}
    voice = next(filter(is_voice, codecs_of(onward)), None)
    return voice is not None and voice.key not in held


# -- codecs ---------------------------------------------------------------------------------------


def _offerable(codecs: Iterable[Codec], allowed: Collection[str] | None) -> list[Codec]:
    """The voice codecs allowed, and what goes with them at the same clock rate (RFC 4733)."""
    if allowed is None:
        return list(codecs)
    names = {name.lower() for name in allowed}
    voice = {codec for codec in codecs if is_voice(codec) and codec.key[0] in names}
    rates = {codec.clock_rate for codec in voice}
    return [c for c in codecs if c in voice or (not is_voice(c) and c.clock_rate in rates)]


# Calls of one trunk to one target begin with the same codecs: each such pair is worked out once.
@lru_cache(maxsize=512)
def _preferred(
    codecs: tuple[Codec, ...], allowed: tuple[str, ...] | None, first: str | None
) -> tuple[Codec, ...]:
    """The codecs of ``_offerable``, the one named ``first`` in front."""
    offered = _offerable(codecs, allowed)
    if first is not None:
        offered.sort(key=lambda codec: codec.key[0] != first.lower())
    return tuple(offered)


@lru_cache(maxsize=512)
def _have_voice(codecs: tuple[Codec, ...]) -> bool:
    return any(map(is_voice, codecs))


@lru_cache(maxsize=512)
def _answered(wanted: tuple[Codec, ...], answer: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """The answerer's order and format parameters with the offerer's numbers."""
    answered: dict[int, Codec] = {}
    for codec in answer:
        found = counterpart(codec, wanted)
        if found is not None:
            answered.setdefault(found.payload, found.with_fmtp(codec.fmtp))
    return tuple(answered.values())


def _renumbered(codecs: Iterable[Codec], bound: Iterable[Codec]) -> list[Codec]:
    """``codecs`` with the numbers of ``bound``; a number bound to another codec is not used again."""
    left = list(bound)
    taken = {codec.payload for codec in left}
    renumbered = []
    for codec in codecs:
        found = counterpart(codec, left)
        if found is not None:
            left.remove(found)
            number: int | None = found.payload
        else:
            free = (codec.payload, *range(96, 128))
            number = next((n for n in free if n not in taken), None)
        if number is not None:
            taken.add(number)
            renumbered.append(codec.numbered(number))
    return renumbered


# -- descriptions ---------------------------------------------------------------------------------


def _media(
    here: Here,
    proto: str,
    codecs: tuple[Codec, ...],
    direction: Direction,
    timed: MediaDescription | None = None,
    *,
    rtcp_mux: bool = False,
) -> MediaDescription:
    """Our stream, with the packet times of another."""
    ptime, maxptime = (0, 0) if timed is None else (timed.ptime, timed.maxptime)
    return MediaDescription(
        "audio", here.port, proto, _formats(codecs), host=here.host, codecs=codecs, direction=direction,
        ptime=ptime, maxptime=maxptime, rtcp_mux=rtcp_mux,
    )  # fmt: skip


@lru_cache(maxsize=512)
def _formats(codecs: tuple[Codec, ...]) -> str:
    return " ".join([str(codec.payload) for codec in codecs])


def _answer_media(
    here: Here,
    wanted: MediaDescription,
    codecs: tuple[Codec, ...],
    direction: Direction,
    timed: MediaDescription,
) -> MediaDescription:
    allowed = _allowed(direction, direction_of(wanted))
    return _media(here, wanted.proto, codecs, allowed, timed, rtcp_mux=wanted.rtcp_mux)


@lru_cache(maxsize=16)
def _allowed(direction: Direction, offered: Direction) -> Direction:
    """Never more than the offer allows: what it sends we may receive, and the other way round."""
    sends = SENDS[direction] and RECEIVES[offered]
    receives = RECEIVES[direction] and SENDS[offered]
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _refused(media: MediaDescription) -> MediaDescription:
    return MediaDescription(media.kind, 0, media.proto, media.formats)


def _in_place(media: MediaDescription, previous: Description | None) -> list[MediaDescription]:
    """A new offer has every m-line of the last description, in its place (RFC 3264 section 8)."""
    if previous is None:
        return [media]
    current = previous.audio
    media.rtcp_mux = current is not None and current.rtcp_mux
    return [media if line is current else _refused(line) for line in previous.media]


def _answer(
    offer: Description,
    wanted: MediaDescription,
    media: MediaDescription,
    here: Here,
    previous: Description | None,
) -> Description:
    lines = [media if line is wanted and line.port else _refused(line) for line in offer.media]
    return _describe(here, lines, previous)


def _describe(here: Here, media: list[MediaDescription], previous: Description | None) -> Description:
    if previous is None:
        return Description(Origin("-", here.sess_id, 1, here.host), here.host, media)
    same = Description(previous.origin, here.host, media)
    if same.to_bytes() == previous.to_bytes():
        return previous
    return Description(previous.origin._replace(version=previous.origin.version + 1), here.host, media)
