"""What a description says of the one stream we take part in, however it says it."""

from copy import copy

from edge.media.codecs import STATIC, Codec
from edge.media.sdp import Description, Direction, MediaDescription

SENDS: dict[Direction, bool] = {"sendrecv": True, "sendonly": True, "recvonly": False, "inactive": False}
RECEIVES: dict[Direction, bool] = {"sendrecv": True, "sendonly": False, "recvonly": True, "inactive": False}

_PLAYABLE = (STATIC[0].key, STATIC[8].key)


def direction_of(stream: MediaDescription) -> Direction:
    """The direction meant: port 0 is inactive, and a zero address (RFC 2543) wants no packets."""
    if stream.port == 0:
        return "inactive"
    if stream.host in ("0.0.0.0", "::"):  # noqa: S104 - an address in a peer's SDP, not one to bind
        return "sendonly" if SENDS[stream.direction] else "inactive"
    return stream.direction


def only_others(description: Description) -> bool:
    """Whether there are streams, and none of them is audio that we take part in."""
    stream = description.audio
    return (stream is None or stream.port == 0) and any(each.port for each in description.media)


def resumed(description: Description) -> Description:
    """The same without a hold, whoever held."""
    stream = description.audio
    if stream is None or direction_of(stream) == "sendrecv":
        return description
    return _flowing(description, stream, "sendrecv")


def audible(description: Description) -> Description:
    """The same, but that its peer may hear something."""
    stream = description.audio
    if stream is None or stream.port == 0 or direction_of(stream) != "inactive":
        return description
    return _flowing(description, stream, "sendonly")


def _flowing(description: Description, stream: MediaDescription, direction: Direction) -> Description:
    flowing = copy(stream)
    flowing.direction = direction
    media = [flowing if each is stream else each for each in description.media]
    return Description(description.origin, description.host, media)


def codecs_of(description: Description) -> tuple[Codec, ...]:
    """The codecs of that stream, in order; none without one."""
    return description.audio.codecs if description.audio is not None else ()


def playable(codec: Codec) -> bool:
    """Whether we can play prompts in it."""
    return codec.key in _PLAYABLE
