"""A certificate's TNAuthList: which numbers it may sign for (RFC 8226 section 9)."""

from typing import Final, NamedTuple

from edge.stir.errors import Wrong

_SEQUENCE: Final = 0x30
_PROVIDER, _RANGE, _ONE = 0xA0, 0xA1, 0xA2
MAX_ENTRIES: Final = 10_000


class Allowed(NamedTuple):
    """``provider``: it is a service provider's, and so for every number that one vouches for; else these
    ``ranges`` of numbers, both ends included."""

    provider: bool
    ranges: tuple[tuple[int, int, int], ...] = ()

    def covers(self, number: str) -> bool:
        """Whether a number (digits) is among them."""
        if self.provider:
            return True
        value = int(number) if number.isdecimal() else -1
        return any(len(number) == width and low <= value <= high for width, low, high in self.ranges)


def allowed_numbers(der: bytes) -> Allowed:
    """Reads TNAuthorizationList; raises Wrong for what is none."""
    tag, body, rest = _element(der)
    if tag != _SEQUENCE or rest:
        raise Wrong("the certificate's list of numbers is not readable")
    provider, ranges = False, []
    while body:
        tag, entry, body = _element(body)
        if tag == _PROVIDER:
            provider = True
        elif tag == _RANGE:
            ranges.append(_range(entry))
        elif tag == _ONE:
            ranges.append(_span(_text(entry), 1))
        if len(ranges) > MAX_ENTRIES:
            raise Wrong("the certificate's list of numbers is too long")
    return Allowed(provider, tuple(ranges))


def _range(entry: bytes) -> tuple[int, int, int]:
    tag, body, _ = _element(entry)
    if tag != _SEQUENCE:  # tagged implicitly
        body = entry
    _, start, rest = _element(body)
    _, count, _ = _element(rest)
    return _span(start.decode("ascii", "replace"), int.from_bytes(count[:8], "big"))


def _text(entry: bytes) -> str:
    _, value, _ = _element(entry)
    return value.decode("ascii", "replace")


def _span(start: str, count: int) -> tuple[int, int, int]:
    if not start.isdecimal() or len(start) > 15 or count < 1:
        raise Wrong("the certificate's list of numbers is not readable")
    return len(start), int(start), int(start) + count - 1


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """The first DER element: its tag, its content, and what follows."""
    if len(der) < 2:
        raise Wrong("the certificate's list of numbers is not readable")
    length, at = der[1], 2
    if length & 0x80:
        octets = length & 0x7F
        length, at = int.from_bytes(der[2 : 2 + octets], "big"), 2 + octets
        if not 0 < octets <= 4:
            raise Wrong("the certificate's list of numbers is not readable")
    if at + length > len(der):
        raise Wrong("the certificate's list of numbers is not readable")
    return der[0], der[at : at + length], der[at + length :]
