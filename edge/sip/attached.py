"""What stands beside the session description in a body (RFC 5621), and a body that has some of it again."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from edge.sip.headers import writable

MAX_OCTETS: Final = 16_384
"""So much is kept of one INVITE's parts beside the description, headers and all."""


class Attached(NamedTuple):
    """One part: its media type in lower case, its headers (those of ``Content-``) and what is in it.

    It is passed on as it came, understood or not.
    """

    kind: str
    headers: tuple[tuple[str, str], ...]
    data: bytes

    @property
    def octets(self) -> int:
        """How much it is, with its headers."""
        return len(self.data) + sum(len(name) + len(value) + 4 for name, value in self.headers)


def bounded(parts: Iterable[Attached]) -> tuple[Attached, ...]:
    """Those that fit into ``MAX_OCTETS``, in order; one that does not is left out."""
    kept: list[Attached] = []
    octets = 0
    for part in parts:
        if octets + part.octets <= MAX_OCTETS:
            octets += part.octets
            kept.append(part)
    return tuple(kept)


def print_body(description: bytes, parts: Iterable[Attached], boundary: str) -> tuple[str, bytes]:
    """The Content-Type and the body (RFC 2046 section 5.1); no part knows the boundary: it is drawn now."""
    pieces = [Attached("", (("Content-Type", "application/sdp"),), description)] if description else []
    line = f"--{boundary}\r\n".encode()
    body = b"".join([line + _head(part) + b"\r\n" + part.data + b"\r\n" for part in (*pieces, *parts)])
    return f"multipart/mixed;boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _head(part: Attached) -> bytes:
    lines = [f"{name}: {writable(value)}\r\n" for name, value in part.headers]
    return "".join(lines).encode("utf-8", "surrogateescape")
