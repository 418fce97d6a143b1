"""Messages out of a byte stream (RFC 3261 section 18.3, RFC 5626 section 3.5.1), without IO."""

from dataclasses import dataclass
from typing import Final

from edge.sip import parser
from edge.sip.errors import SipParseError
from edge.sip.grammar import decimal
from edge.sip.message import Request, Response

MAX_HEAD: Final = 64 * 1024
MAX_BODY: Final = 256 * 1024
MAX_MESSAGE: Final = 320 * 1024
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Keepalive:
    """The peer's ping (CRLF CRLF between messages): answer it with one CRLF."""


Frame = Request | Response | Keepalive | SipParseError


class Framer:
    """Cuts one connection's bytes into messages.

    A message that is refused comes out as the SipParseError itself, in its place among the others.
    After one with ``close`` the stream is lost: nothing more comes out, and the connection is to
    be closed once the answer is sent.  What is kept in memory is bounded by ``MAX_MESSAGE``: a
    message is refused on its declared length, before its body is read.
    """

    __slots__ = ("_buffer", "_closed", "_head", "_need", "_pinged", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # no end of the header block starts before this
        self._head: parser.Head | None = None
        self._need = 0  # octets of body that ``_head`` declared
        self._pinged = False  # one CRLF of a ping has been read
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether a message has begun and is not complete: it must be within some seconds."""
        return self._head is not None or len(self._buffer) > 0

    def feed(self, data: bytes) -> list[Frame]:
        """What ``data`` completes, in order; several pings in a row come as one."""
        frames: list[Frame] = []
        if self._closed:
            return frames
        self._buffer += data
        try:
            while self._step(frames):
                pass
        except SipParseError as error:
            self._closed = True
            self._buffer.clear()
            self._head = None
            frames.append(error)
        return frames

    def _step(self, frames: list[Frame]) -> bool:
        if self._head is not None:
            return self._finish(self._head, frames)
        self._skip_breaks(frames)
        return self._begin()

    def _skip_breaks(self, frames: list[Frame]) -> None:
        """Drops CRLFs before a message; two of them are a ping."""
        buffer = self._buffer
        at = 0
        while buffer.startswith(b"\r\n", at):
            at += 2
            if self._pinged and not (frames and isinstance(frames[-1], Keepalive)):
                frames.append(Keepalive())
            self._pinged = not self._pinged
        if at:
            del buffer[:at]
        if buffer and buffer != b"\r":
            self._pinged = False

    def _begin(self) -> bool:
        """Reads a header block, once it is complete."""
        buffer = self._buffer
        end = buffer.find(_END, self._scanned)
        if max(end, len(buffer) if end < 0 else 0) > MAX_HEAD:
            error = SipParseError("header block too large", 513, close=True)
            raise parser.refusal(error, bytes(buffer[:MAX_HEAD]))
        if end < 0:
            self._scanned = max(0, len(buffer) - len(_END) + 1)
            return False
        raw = bytes(buffer[:end])
        del buffer[: end + len(_END)]
        self._scanned = 0
        self._head = _framed_head(raw)
        self._need = _declared_length(self._head, raw)
        return True

    def _finish(self, head: parser.Head, frames: list[Frame]) -> bool:
        """Takes the body, once it is complete."""
        if len(self._buffer) < self._need:
            return False
        body = bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        self._head = None
        try:
            frames.append(parser.build(head, body))
        except SipParseError as error:
            if error.close:
                raise
            frames.append(error)
        return True


def _framed_head(raw: bytes) -> parser.Head:
    try:
        return parser.split_head(raw)
    except SipParseError as error:
        error.close = True  # without its headers nobody knows where the message ends
        raise


def _declared_length(head: parser.Head, raw: bytes) -> int:
    """The Content-Length, which a stream can not do without."""
    declared = head.headers.all("Content-Length")
    length = decimal(declared[0], 2**31) if len(declared) == 1 else None
    if length is None:
        reason = "malformed or repeated Content-Length" if declared else "no Content-Length on a stream"
        raise parser.refusal(SipParseError(reason, 400, close=True), raw)
    if len(raw) + len(_END) + length > MAX_MESSAGE:
        raise parser.refusal(SipParseError("message too large", 513, close=True), raw)
    if length > MAX_BODY:
        raise parser.refusal(SipParseError("body too large", 413, close=True), raw)
    return length
