"""Messages out of a byte stream (RFC 3261 section 18.3, RFC 5626 section 3.5.1), without IO."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from edge.sip import parser
from edge.sip.errors import SipParseError
from edge.sip.grammar import decimal
from edge.sip.message import Request, Response

MAX_HEAD: Final = 64 * 1024
MAX_BODY: Final = 256 * 1024
MAX_MESSAGE: Final = 320 * 1024
MAX_HELD: Final = 64 * 1024
"""Octets of a message that waits unread; a larger one is read at once, so that many take no more memory than
as many datagrams."""
_END: Final = b"\r\n\r\n"
_LENGTHS: Final = re.compile(rb"\n(?:content-length|l)[ \t]*+:([^\r\n]*+)", re.IGNORECASE)
_FOLD: Final = re.compile(rb"\n[ \t]")

Verdict = Literal["read", "hold", "skip", "stop"]
Gate = Callable[[bytes], Verdict]
"""Asked about each message's header block before anything in it is parsed: ``hold`` cuts the message out
unread, ``skip`` drops it, ``stop`` drops the whole stream.  One that does not tell its length plainly is read
all the same."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """The peer's ping (CRLF CRLF between messages): answer it with one CRLF."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that is to be read later, if at all."""

    head: bytes
    body: bytes


Frame = Request | Response | Held | Keepalive | SipParseError


def _open(head: bytes) -> Verdict:
    """Every message is read."""
    return "read"


class Framer:
    """Cuts one connection's bytes into messages.

    A message that is refused comes out as the SipParseError itself, in its place among the others.
    After one with ``close`` the stream is lost: nothing more comes out, and the connection is to
    be closed once the answer is sent.  What is kept in memory is bounded by ``most`` octets: a
    message is refused on its declared length, before its body is read.
    """

    __slots__ = ("_buffer", "_closed", "_gate", "_head", "_need", "_pinged", "_scanned", "_skipping", "most")

    def __init__(self, gate: Gate = _open) -> None:
        self._gate = gate
        self.most = MAX_MESSAGE
        self._buffer = bytearray()
        self._scanned = 0  # no end of the header block starts before this
        self._head: parser.Head | bytes | None = None  # bytes: of a message that is held
        self._need = 0  # octets of body that were declared, by ``_head`` or by what is skipped
        self._skipping = False
        self._pinged = False  # one CRLF of a ping has been read
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether a message has begun and is not complete: it must be within some seconds."""
        return self._head is not None or self._skipping or len(self._buffer) > 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """What ``data`` completes, in order, each cut out when it is asked for; several pings in a row
        come as one."""
        if not self._closed:
            self._buffer += data
        return iter(self._next, None)

    def _next(self) -> Frame | None:
        try:
            while not self._closed:
                if self._head is not None:
                    return self._finish(self._head)
                if self._skipping:
                    if not self._skip():
                        return None
                elif self._skip_breaks():
                    return Keepalive()
                elif not self._begin():
                    return None
        except SipParseError as error:
            if error.close:
                self._end()
            return error
        return None

    def _end(self) -> None:
        self._closed, self._skipping, self._head = True, False, None
        self._buffer.clear()

    def _skip_breaks(self) -> bool:
        """Drops CRLFs before a message; True when two of them were a ping."""
        buffer, at, pinged = self._buffer, 0, False
        while buffer.startswith(b"\r\n", at):
            at += 2
            pinged = pinged or self._pinged
            self._pinged = not self._pinged
        if at:
            del buffer[:at]
        if buffer and buffer != b"\r":
            self._pinged = False
        return pinged

    def _begin(self) -> bool:
        """Reads a header block, once it is complete."""
        buffer = self._buffer
        if buffer and not 0x20 < buffer[0] < 0x7F and buffer[0] != 0x0D:
            raise SipParseError("what begins so is no SIP message", 0, close=True)
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
        self._open_message(raw)
        return True

    def _open_message(self, raw: bytes) -> None:
        verdict = self._gate(raw)
        if verdict == "stop":
            self._end()
            return
        plain = None if verdict == "read" else _plain_length(raw)
        if plain is None or (verdict == "hold" and len(raw) + plain > MAX_HELD):
            self._head = _framed_head(raw)
            self._need = _declared_length(self._head, raw, self.most)
            return
        self._need = plain
        if verdict == "hold":
            self._head = raw
        else:
            self._skipping = True

    def _skip(self) -> bool:
        """Drops the body of a message that is not wanted; True once it is all gone."""
        dropped = min(self._need, len(self._buffer))
        del self._buffer[:dropped]
        self._need -= dropped
        self._skipping = self._need > 0
        return not self._skipping

    def _finish(self, head: parser.Head | bytes) -> Frame | None:
        """The message, once its body is complete."""
        if len(self._buffer) < self._need:
            return None
        body = bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        self._head = None
        return Held(head, body) if isinstance(head, bytes) else parser.build(head, body)


def read(held: Held) -> Request | Response | SipParseError:
    """What the framer would have made of a message that it held."""
    try:
        return parser.build(_framed_head(held.head), held.body)
    except SipParseError as error:
        return error


def _framed_head(raw: bytes) -> parser.Head:
    try:
        return parser.split_head(raw)
    except SipParseError as error:
        error.close = True  # without its headers nobody knows where the message ends
        raise


def _plain_length(raw: bytes) -> int | None:
    """The Content-Length of a header block that is not parsed; None where it takes more to tell."""
    lengths = _LENGTHS.findall(raw)
    if len(lengths) != 1 or _FOLD.search(raw) is not None:
        return None
    return decimal(lengths[0].decode("latin-1").strip(" \t"), MAX_BODY + 1)


def _declared_length(head: parser.Head, raw: bytes, most: int) -> int:
    """The Content-Length, which a stream can not do without; the whole has ``most`` octets."""
    declared = head.headers.all("Content-Length")
    length = decimal(declared[0], 2**31) if len(declared) == 1 else None
    if length is None:
        reason = "malformed or repeated Content-Length" if declared else "no Content-Length on a stream"
        raise parser.refusal(SipParseError(reason, 400, close=True), raw)
    if len(raw) + len(_END) + length > most:
        raise parser.refusal(SipParseError("message too large", 513, close=True), raw)
    if length > MAX_BODY:
        raise parser.refusal(SipParseError("body too large", 413, close=True), raw)
    return length
