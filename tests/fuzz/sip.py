"""Fuzz harnesses of everything that reads SIP from the network."""

import zlib
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

from edge.sip import bodies, framer, headers, parser, uri
from edge.sip.digest import ClientDigest, parse_auth
from edge.sip.errors import SipParseError
from edge.sip.events import Credentials
from edge.sip.message import Headers, Message, Request, Response, respond
from edge.sip.server_digest import ServerDigest
from edge.sip.via import parse_via

_SERVER = ServerDigest("edge", b"secret")


def check_message(data: bytes) -> None:
    """A datagram is refused with a status that can be sent, or it survives printing and answering."""
    try:
        message = parser.parse(data)
    except SipParseError as error:
        _check_refusal(error)
        return
    if isinstance(message, Request):
        _ = message.target.subscriber, message.target.subscriber_params
        assert uri.parse_uri(str(message.target)) == message.target
    _read_lazily(message)
    if len(message.headers.items) < parser.MAX_HEADERS:  # printing may add a Content-Length
        _check_round_trip(message)


def _check_round_trip(message: Request | Response) -> None:
    again = parser.parse(message.to_bytes())
    assert again.headers.items == [item for item in message.headers.items if item[0] != "Content-Length"] + [
        ("Content-Length", str(len(message.body)))
    ]
    assert again.body == message.body
    assert _fields(again) == _fields(message)
    if isinstance(message, Request):
        _check_answer(message)


def _fields(message: Message) -> tuple[object, ...]:
    both = message.call_id, message.cseq, message.cseq_method, message.to_tag
    if isinstance(message, Request):
        return (*both, message.via, message.from_tag)
    assert isinstance(message, Response)
    return (*both, message.branch)


def _check_refusal(error: SipParseError) -> None:
    assert (error.status == 0) == (error.request is None)
    assert error.status in (0, 400, 413, 416, 505, 513)
    if error.request is not None:
        error.request.note_source("192.0.2.1", 5060)
        respond(error.request, error.status, to_tag="x").to_bytes()


def _check_answer(request: Request) -> None:
    request.note_source("192.0.2.1", 5060)
    answer = parser.parse(respond(request, 200, to_tag="x").to_bytes())
    assert isinstance(answer, Response)
    assert answer.to_tag == (request.to_tag or "x")
    assert (answer.call_id, answer.cseq) == (request.call_id, request.cseq)
    assert answer.branch == request.via.branch
    top = parse_via(answer.headers.values("Via")[0])
    assert top is not None
    assert top.params["received"] == "192.0.2.1"


def _read_lazily(message: Message) -> None:
    for name in ("Contact", "Route", "Record-Route", "P-Asserted-Identity", "Diversion"):
        for value in message.headers.values(name):
            with suppress(SipParseError):
                address = headers.parse_name_addr(value)
                assert headers.parse_name_addr(str(address)) == address
                parsed = uri.parse_uri(address.uri)
                assert parsed.matches(parsed)


def check_stream(data: bytes) -> None:
    """A stream gives the same messages however it is cut (the first byte says how), and whenever they are
    read; after an error with ``close``, nothing."""
    size, data = 1 + (data[0] if data else 0), data[1:]
    for gate in (_every, _some):
        whole = list(framer.Framer(gate).feed(data))
        pieces = framer.Framer(gate)
        cut = [frame for at in range(0, len(data), size) for frame in pieces.feed(data[at : at + size])]
        assert _shape(whole) == _shape(cut)
        assert not any(isinstance(f, SipParseError) and f.close for f in whole[:-1])
    holding, early = framer.Framer(lambda head: "hold"), _shape(list(framer.Framer(_every).feed(data)))
    late = _shape(_until_closed(_read_late(frame) for frame in holding.feed(data)))
    # What is wrong with a head is known before its body has come, if it is read at once.
    assert late == (early[: len(late)] if holding.pending else early)


def _read_late(frame: framer.Frame) -> framer.Frame:
    return framer.read(frame) if isinstance(frame, framer.Held) else frame


def _until_closed(frames: Iterable[framer.Frame]) -> list[framer.Frame]:
    found: list[framer.Frame] = []
    for frame in frames:
        found.append(frame)
        if isinstance(frame, SipParseError) and frame.close:
            break
    return found


def _every(head: bytes) -> framer.Verdict:
    """A gate that lets all through."""
    return "read"


def _some(head: bytes) -> framer.Verdict:
    """A gate that lets some through, the same ones each time."""
    return ("read", "hold", "skip", "stop")[zlib.crc32(head) % 4]  # type: ignore[return-value]


def _shape(frames: list[framer.Frame]) -> list[object]:
    """What a peer sees of frames; pings in a row count as one."""
    shapes: list[object] = []
    for frame in frames:
        if isinstance(frame, SipParseError):
            shapes.append((frame.status, frame.close))
        elif isinstance(frame, framer.Held):
            shapes.append((frame.head, frame.body))
        else:
            shapes.append(frame.to_bytes() if isinstance(frame, Message) else "ping")
    return [one for before, one in pairwise([None, *shapes]) if not before == one == "ping"]


def check_digest(data: bytes) -> None:
    """Credentials made of any bytes are never accepted; challenges of any bytes never break us."""
    value = data.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", "")
    with suppress(SipParseError):
        assert len(parse_auth(value)) <= 32
    request = Request("INVITE", "sip:a@b.test", Headers([("Authorization", value)]))
    verdict = _SERVER.judge(request, lambda user: "secret" if user else None, 1.0)
    assert verdict.verdict != "accepted"
    client = ClientDigest(Credentials("bob", "zanzibar"), lambda: "c")
    if client.accept(Response(401, "", Headers([("WWW-Authenticate", value)]))):
        Request("INVITE", "sip:a@b.test", Headers(list(client.headers("INVITE", "sip:a@b.test")))).to_bytes()


def check_body(data: bytes) -> None:
    """A body of many parts (its first line is the Content-Type) gives a piece of itself, or a refusal."""
    kind, _, body = data.partition(b"\n")
    lines = [("Content-Type", kind.decode("latin-1")), ("Content-Disposition", "session;handling=optional")]
    for headers_ in (lines[:1], lines):
        request = Request("INVITE", "sip:a@b.test", Headers(headers_), body)
        refused = bodies.only_description(request)
        assert request.body in body
        assert refused is None or (not request.body and refused[0] in (400, 415))


def check_uri(data: bytes) -> None:
    """A URI is refused, or prints to one that is the same."""
    with suppress(SipParseError):
        parsed = uri.parse_uri(data.decode("utf-8", "surrogateescape"))
        assert uri.parse_uri(str(parsed)) == parsed
        assert parsed.matches(parsed)
        _ = parsed.subscriber, parsed.subscriber_params
