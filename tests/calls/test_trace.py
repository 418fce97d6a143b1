"""The SIP ladder of a call: whole, in order, bounded."""

from edge.calls.trace import MAX_EARLY, MAX_LINES, Trace, TraceBook
from edge.sip.events import Flow
from tests.support.virtual_time import VirtualClock

FLOW = Flow("udp", ("192.0.2.200", 5060), ("192.0.2.1", 5060))


def test_what_came_before_the_call_knew_its_dialog_is_kept() -> None:
    clock = VirtualClock()
    book = TraceBook(clock.monotonic)
    trace = Trace(clock.monotonic())
    book.note("in", FLOW, b"INVITE sip:a@b SIP/2.0\r\nVia: x", "call@1")
    book.note("out", FLOW, b"SIP/2.0 100 Trying\r\n", "call@1")
    book.open("call@1", trace)
    clock.advance(0.25)
    book.note("out", FLOW, b"SIP/2.0 200 OK\r\n", "call@1")
    assert [(line["message"], line["at_s"]) for line in trace.lines()] == [
        ("INVITE sip:a@b SIP/2.0", 0.0),
        ("SIP/2.0 100 Trying", 0.0),
        ("SIP/2.0 200 OK", 0.25),
    ]
    assert trace.lines()[0]["peer"] == "udp:192.0.2.1:5060"


def test_after_the_end_and_of_other_dialogs_nothing_is_kept() -> None:
    book, trace = TraceBook(lambda: 0.0), Trace(0.0)
    book.open("call@1", trace)
    book.note("in", FLOW, b"BYE sip:a@b SIP/2.0\r\n", "call@2")
    book.open("call@3", trace)
    book.close(trace)
    for each in ("call@1", "call@3"):
        book.note("in", FLOW, b"BYE sip:a@b SIP/2.0\r\n", each)
    assert trace.lines() == []


def test_a_dialog_that_went_to_another_call_is_still_kept_there() -> None:
    book, first, second = TraceBook(lambda: 0.0), Trace(0.0), Trace(0.0)
    book.open("call@1", first)
    book.open("call@1", second)
    book.close(first)
    book.note("in", FLOW, b"BYE sip:a@b SIP/2.0\r\n", "call@1")
    assert (len(first.lines()), len(second.lines())) == (0, 1)


def test_dialogs_that_never_become_calls_are_forgotten() -> None:
    book, trace = TraceBook(lambda: 0.0), Trace(0.0)
    for number in range(MAX_EARLY + 1):
        book.note("in", FLOW, b"INVITE sip:a@b SIP/2.0\r\n", f"call@{number}")
    book.open("call@0", trace)
    assert trace.lines() == []
    book.open("call@1", trace)
    assert len(trace.lines()) == 1


def test_a_ladder_has_an_end() -> None:
    trace = Trace(0.0)
    for _ in range(MAX_LINES + 5):
        trace.add(1.0, "in", FLOW, b"OPTIONS sip:a@b SIP/2.0\r\n")
    assert len(trace.lines()) == MAX_LINES
    assert trace.dropped == 5
