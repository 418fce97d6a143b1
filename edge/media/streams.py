"""What a description says of the one stream we take part in, however it says it."""

from copy import copy

from edge.media.codecs import STATIC, Codec
from edge.media.sdp import Description, Direction, MediaDescription

SENDS: dict[Direction, bool] = {"sendrecv": True, "sendonly": True, "recvonly": False, "inactive": False}
RECEIVES: dict[Direction, bool] = {"sendrecv": True, "sendonly": False, "recvonly": True, "inactive": False}

_PROFILES = ("RTP/AVP", "RTP/AVPF")
_PLAYABLE = (STATIC[0].key, STATIC[8].key)


def audio(description: Description) -> MediaDescription | None:
    """The stream we take part in: the first plain RTP audio that is not disabled, else disabled."""
    disabled = None
    for media in description.media:
        if media.kind == "audio" and media.proto in _PROFILES:
            if media.port:
                return media
            disabled = disabled or media
    return disabled


def direction_of(stream: MediaDescription) -> Direction:
    """The direction meant: port 0 is inactive, and a zero address (RFC 2543) wants no packets."""
    if stream.port == 0:
        return "inactive"
    if stream.host in ("0.0.0.0", "::"):  # noqa: S104 - an address in a peer's SDP, not one to bind
        return "sendonly" if SENDS[stream.direction] else "inactive"
    return stream.direction


def resumed(description: Description) -> Description:
    """The same without a hold, whoever held."""
    stream = audio(description)
    if stream is None or direction_of(stream) == "sendrecv":
        return description
    flowing = copy(stream)
    flowing.direction = "sendrecv"
    media = [flowing if each is stream else each for each in description.media]
    return Description(description.origin, description.host, media)


def codecs_of(description: Description) -> tuple[Codec, ...]:
    """The codecs of that stream, in order; none without one."""
    stream = audio(description)
    return stream.codecs if stream else ()


def playable(codec: Codec) -> bool:
    """Whether we can play prompts in it."""
    return codec.key in _PLAYABLE
