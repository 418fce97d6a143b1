"""Session descriptions: bytes to ``Description`` and back (RFC 8866).

The parser is tolerant where peers are sloppy: any order of lines, CRLF, LF or CR, unknown lines
and attributes, attributes that make no sense.  It is strict about m-lines, since a wrong guess
there would send audio astray, and about sizes.  Every failure is an ``SdpError``.
"""

from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args

from edge.media.codecs import STATIC, Codec

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

MAX_BYTES = 65_536
MAX_LINES = 512
MAX_LINE = 8_192
_CACHED_CHARACTERS = 1_024

_PROFILES: Final = ("RTP/AVP", "RTP/AVPF")
_DIRECTIONS: Final[dict[str, Direction]] = {word: word for word in get_args(Direction)}


class SdpError(ValueError):
    """A body that is no usable session description; the text says what is wrong with it."""


class Origin(NamedTuple):
    """The ``o=`` line: ``version`` grows by one with each change of the description."""

    username: str
    sess_id: int
    version: int
    address: str


class MediaDescription:
    """One ``m=`` section.

    ``port`` 0 is a refused or disabled stream.  ``host`` is this section's ``c=`` address, else
    the description's (None: neither has one).  ``formats`` is the rest of the m-line, verbatim;
    ``codecs`` what it means, for RTP audio: entries that have a name, in order.  ``direction`` is the
    section's, else the description's, else sendrecv.  ``ptime`` and ``maxptime`` are milliseconds,
    0 if not given.  ``rtcp`` is (host or None, port) of ``a=rtcp`` (RFC 3605), None without.
    """

    __slots__ = (
        "codecs",
        "direction",
        "formats",
        "host",
        "kind",
        "maxptime",
        "port",
        "proto",
        "ptime",
        "rtcp",
        "rtcp_mux",
    )

    def __init__(
        self,
        kind: str,
        port: int,
        proto: str,
        formats: str,
        *,
        host: str | None = None,
        codecs: tuple[Codec, ...] = (),
        direction: Direction = "sendrecv",
        ptime: int = 0,
        maxptime: int = 0,
        rtcp: tuple[str | None, int] | None = None,
        rtcp_mux: bool = False,
    ) -> None:
        self.kind = kind
        self.port = port
        self.proto = proto
        self.formats = formats
        self.host = host
        self.codecs = codecs
        self.direction: Direction = direction
        self.ptime = ptime
        self.maxptime = maxptime
        self.rtcp = rtcp
        self.rtcp_mux = rtcp_mux

    def says(self) -> tuple[object, ...]:
        """Everything that matters to who sends what where, for comparing."""
        return (
            self.kind, self.port, self.proto, self.formats, self.host, self.codecs, self.direction,
            self.ptime, self.maxptime, self.rtcp, self.rtcp_mux,
        )  # fmt: skip

    def text(self, host: str) -> str:
        """As sent; ``host`` is the description's own address."""
        head = f"m={self.kind} {self.port} {self.proto} {self.formats}\r\n"
        if self.port == 0:
            return head
        if self.host is not None and self.host != host:
            head += f"c={_address(self.host)}\r\n"
        return head + _below(self.codecs, self.ptime, self.maxptime, self.rtcp_mux, self.direction)


# What stands below an m-line of ours differs from call to call no more than what peers speak.
@lru_cache(maxsize=512)
def _below(codecs: tuple[Codec, ...], ptime: int, maxptime: int, rtcp_mux: bool, direction: Direction) -> str:
    lines = [codec.lines for codec in codecs]
    if ptime:
        lines.append(f"a=ptime:{ptime}")
    if maxptime:
        lines.append(f"a=maxptime:{maxptime}")
    if rtcp_mux:
        lines.append("a=rtcp-mux")
    lines += [f"a={direction}", ""]
    return "\r\n".join(lines)


class Description:
    """A whole session description: its origin, its address (None: none given), its media.

    ``audio`` is the stream we take part in: the first plain RTP audio that is not disabled, else a disabled
    one.
    """

    __slots__ = ("audio", "host", "media", "origin")

    def __init__(self, origin: Origin, host: str | None, media: list[MediaDescription]) -> None:
        self.origin = origin
        self.host = host
        self.media = media
        self.audio: MediaDescription | None = None
        for each in media:
            if each.kind == "audio" and each.proto in _PROFILES and (each.port or self.audio is None):
                self.audio = each
                if each.port:
                    break

    def same_media(self, other: "Description") -> bool:
        """Whether the streams are described alike.

        o= should tell (RFC 3264 section 8), but there are peers that never raise its version.
        """
        return [media.says() for media in self.media] == [media.says() for media in other.media]

    def to_bytes(self) -> bytes:
        """As sent (RFC 8866 section 5 gives the order)."""
        username, sess_id, version, address = self.origin
        host = self.host or address
        origin = f"{username} {sess_id} {version} {_address(address)}"
        text = f"v=0\r\no={origin}\r\ns=-\r\nc={_address(host)}\r\nt=0 0\r\n"
        for media in self.media:
            text += media.text(host)
        return text.encode("utf-8", "surrogateescape")


def parse(data: bytes) -> Description:
    """A description out of a body; raises SdpError, and nothing else, on any other bytes."""
    if len(data) > MAX_BYTES:
        raise SdpError(f"longer than {MAX_BYTES} octets")
    text = data.decode("utf-8", "surrogateescape")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            text = text.replace("\r", "\n")
    if "\0" in text:
        raise SdpError("contains NUL")
    if text.count("\n") > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines")
    if len(text) > MAX_LINE and max(map(len, text.split("\n"))) > MAX_LINE:
        raise SdpError(f"a line longer than {MAX_LINE} characters")
    top, *sections = text.split("\nm=")
    return _description(top, sections)


def _description(top: str, sections: list[str]) -> Description:
    origin: Origin | None = None
    host: str | None = None
    direction: Direction = "sendrecv"
    version = False
    for line in top.split("\n"):
        start = line[:2]
        if start == "o=":
            origin = _origin(line)
        elif start == "c=":
            host = _host(line)
        elif start == "a=":
            direction = _DIRECTIONS.get(line[2:].strip(), direction)
        elif start == "v=":
            version = line.strip() == "v=0"
    if not version:
        raise SdpError("does not begin with v=0")
    if origin is None:
        raise SdpError("has no o= line")
    return Description(origin, host, [_media(section, host, direction) for section in sections])


def _media(section: str, host: str | None, direction: Direction) -> MediaDescription:
    head, _, rest = section.partition("\n")
    parts = head.split(None, 3)
    if len(parts) < 4:
        raise SdpError(f"m= line is incomplete: {head[:80]!r}")
    kind, port, proto, formats = parts
    known = _attributes if len(rest) <= _CACHED_CHARACTERS else _attributes.__wrapped__
    found = known(formats if kind == "audio" and proto[:4] == "RTP/" else "", rest)
    return MediaDescription(
        kind,
        _port(port.partition("/")[0]),
        proto,
        formats.rstrip(),
        host=found.host or host,
        codecs=found.codecs,
        direction=found.direction or direction,
        ptime=found.ptime,
        maxptime=found.maxptime,
        rtcp=found.rtcp,
        rtcp_mux=found.rtcp_mux,
    )


class _Attributes:
    """What the lines below one ``m=`` line say."""

    __slots__ = ("codecs", "direction", "host", "maxptime", "ptime", "rtcp", "rtcp_mux")

    def __init__(self) -> None:
        self.codecs: tuple[Codec, ...] = ()
        self.direction: Direction | None = None
        self.host: str | None = None
        self.maxptime = 0
        self.ptime = 0
        self.rtcp: tuple[str | None, int] | None = None
        self.rtcp_mux = False


# One peer's streams differ from call to call in address and port, which stand in other lines: so
# these lines are parsed once for a peer, not for each of its calls (12 -> 5 µs a description).
@lru_cache(maxsize=512)
def _attributes(formats: str, lines: str) -> _Attributes:
    found = _Attributes()
    maps: dict[str, tuple[str, int, str]] = {}
    parameters: dict[str, str] = {}
    for line in lines.split("\n"):
        if line[:2] == "a=":
            _attribute(found, line, maps, parameters)
        elif line[:2] == "c=":
            found.host = _host(line)
    found.codecs = _codecs(formats, maps, parameters)
    return found


def _attribute(
    found: _Attributes, line: str, maps: dict[str, tuple[str, int, str]], parameters: dict[str, str]
) -> None:
    name, _, value = line.partition(":")
    if name == "a=rtpmap":
        payload, _, encoding = value.strip().partition(" ")
        named = _encoding(encoding)
        if named is not None:
            maps[payload] = named
    elif name == "a=fmtp":
        payload, _, value = value.strip().partition(" ")
        parameters[payload] = value.strip()
    elif name == "a=ptime":
        found.ptime = _milliseconds(value)
    elif name == "a=maxptime":
        found.maxptime = _milliseconds(value)
    elif name == "a=rtcp":
        found.rtcp = _rtcp(value)
    else:
        word = name[2:].strip()
        found.direction = _DIRECTIONS.get(word, found.direction)
        found.rtcp_mux = found.rtcp_mux or word == "rtcp-mux"


def _codecs(
    formats: str, maps: dict[str, tuple[str, int, str]], parameters: dict[str, str]
) -> tuple[Codec, ...]:
    codecs: dict[int, Codec] = {}
    for text in formats.split():
        payload = _payload(text)
        named = maps.get(text)
        if named is not None:
            codecs[payload] = Codec(payload, *named, parameters.get(text, ""))
        elif payload in STATIC:
            codecs[payload] = STATIC[payload].with_fmtp(parameters.get(text, ""))
    return tuple(codecs.values())


def _encoding(text: str) -> tuple[str, int, str] | None:
    """rtpmap's name, clock rate and parameters; None if they are no such things."""
    name, _, rest = text.strip().partition("/")
    rate, _, parameters = rest.partition("/")
    if not name or not _is_number(rate, 9) or " " in name:
        return None
    return name, int(rate), parameters


def _payload(text: str) -> int:
    if not _is_number(text, 3) or int(text) > 127:
        raise SdpError(f"{text[:20]!r} is no RTP payload type")
    return int(text)


def _port(text: str) -> int:
    if not _is_number(text, 5) or int(text) > 65535:
        raise SdpError(f"{text[:20]!r} is no port")
    return int(text)


def _milliseconds(text: str) -> int:
    """A packet time; fractions are cut off, nonsense counts as not given."""
    whole = text.strip().partition(".")[0]
    return int(whole) if _is_number(whole, 4) else 0


def _rtcp(value: str) -> tuple[str | None, int] | None:
    parts = value.split()
    if not parts or not _is_number(parts[0], 5) or int(parts[0]) > 65535:
        return None
    return (parts[3] if len(parts) > 3 else None), int(parts[0])


def _host(line: str) -> str:
    parts = line.split()
    if len(parts) < 3:
        raise SdpError(f"c= line is incomplete: {line[:80]!r}")
    return parts[2].partition("/")[0]


def _origin(line: str) -> Origin:
    parts = line[2:].split()
    if len(parts) < 6:
        raise SdpError(f"o= line is incomplete: {line[:80]!r}")
    username, sess_id, version = parts[:3]
    return Origin(username, _count(sess_id), _count(version), parts[5])


def _count(text: str) -> int:
    """An o= number; peers write what they like there, and we only compare it."""
    return int(text) if _is_number(text, 20) else 0


def _is_number(text: str, digits: int) -> bool:
    return len(text) <= digits and text.isascii() and text.isdigit()


@lru_cache(maxsize=512)
def _address(host: str) -> str:
    return f"IN IP6 {host}" if ":" in host else f"IN IP4 {host}"
