"""The SIP ladder of a call: whole, in order, bounded."""

from datetime import UTC, datetime

import pytest

from edge.calls.trace import MAX_EARLY, MAX_LINES, MOST_SHARING, Trace, TraceBook
from edge.sip.events import Flow
from tests.support.virtual_time import VirtualClock

KEY = "0123456789abcdef" * 2
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


def starts(trace: Trace) -> list[object]:
    return [line["message"] for line in trace.lines()]


INVITE = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: call@1\r\n"


def test_a_call_that_comes_back_with_its_call_id_and_the_first_one_have_ladders_of_their_own() -> None:
    """A target with ``call_id`` ``keep`` sent it back to us."""
    book, first, second = TraceBook(lambda: 0.0), Trace(0.0), Trace(0.0)
    book.note("in", FLOW, INVITE, "call@1")
    book.open("call@1", first, arrived=True)
    book.note("out", FLOW, INVITE.replace(b"a@b", b"back@b"), "call@1")
    book.open("call@1", first)
    book.note("in", FLOW, INVITE.replace(b"a@b", b"again@b"), "call@1")
    book.note("out", FLOW, b"SIP/2.0 100 Trying\r\n", "call@1")
    book.open("call@1", second, arrived=True)
    book.note("in", FLOW, b"SIP/2.0 180 Ringing\r\n", "call@1")
    book.close(second)
    book.note("out", FLOW, b"SIP/2.0 486 Busy Here\r\n", "call@1")
    book.close(first)
    book.note("in", FLOW, b"ACK sip:a@b SIP/2.0\r\n", "call@1")
    assert starts(second) == [
        "INVITE sip:again@b SIP/2.0", "SIP/2.0 100 Trying", "SIP/2.0 180 Ringing",
    ]  # fmt: skip
    assert starts(first) == [
        "INVITE sip:a@b SIP/2.0", "INVITE sip:back@b SIP/2.0", *starts(second), "SIP/2.0 486 Busy Here",
    ]  # fmt: skip


def test_of_many_calls_with_one_call_id_the_newest_are_told() -> None:
    book, traces = TraceBook(lambda: 0.0), [Trace(0.0) for _ in range(MOST_SHARING + 2)]
    for trace in traces:
        book.open("call@1", trace)
    book.note("in", FLOW, b"BYE sip:a@b SIP/2.0\r\n", "call@1")
    assert [len(trace.lines()) for trace in traces] == [0, 0, *[1] * MOST_SHARING]


def test_a_secret_is_in_no_line_and_no_message() -> None:
    key = KEY.encode()
    book, trace = TraceBook(lambda: 0.0), Trace(0.0)
    book.open("call@1", trace)
    book.note("out", FLOW, b"INVITE sip:" + b"x" * 170 + key + b"@b SIP/2.0\r\nX: " + key, "call@1")
    assert not book.secrets("call@1")
    trace.hide(key.decode())
    assert set(book.secrets("call@1")) == {key}
    ((_, _, _, kept),) = trace.kept(datetime(2026, 11, 22, tzinfo=UTC))
    for text in (kept, str(trace.lines()).encode()):
        assert b"(removed)@b" in text and key[:8] not in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Busy", "Busy"),
        (f"k={KEY};x", "k=(removed);x"),
        (f'text="{"x" * 80}{KEY[:20]}"', f'text="{"x" * 80}(removed)"'),
        (KEY.upper() + KEY[:9], "(removed)(removed)"),
        (KEY[:7], KEY[:7]),
    ],
)
def test_what_a_peer_says_is_shown_without_a_secret_even_one_that_was_cut(text: str, left: str) -> None:
    trace = Trace(0.0)
    assert trace.shown(text) == text
    trace.hide(KEY)
    assert trace.shown(text) == left


def test_dialogs_that_never_become_calls_are_forgotten() -> None:
    book, trace = TraceBook(lambda: 0.0), Trace(0.0)
    for number in range(MAX_EARLY + 1):
        book.note("in", FLOW, b"INVITE sip:a@b SIP/2.0\r\n", f"call@{number}")
    book.open("call@0", trace)
    assert trace.lines() == []
    book.open("call@1", trace)
    assert len(trace.lines()) == 1


def test_a_crowd_of_strangers_costs_no_call_of_a_known_source_the_beginning_of_its_ladder() -> None:
    strange = Flow("udp", FLOW.local, ("203.0.113.9", 5060))
    book, known, logged_in = TraceBook(lambda: 0.0, lambda host: host == "192.0.2.1"), Trace(0.0), Trace(0.0)
    book.note("in", FLOW, INVITE, "call@1")
    book.note("out", strange, INVITE, "call@2")
    for number in range(3 * MAX_EARLY):
        book.note("in", strange, INVITE, f"strange@{number}")
    book.note("out", strange, b"SIP/2.0 401 Unauthorized\r\n", f"strange@{number}")
    book.open("call@1", known)
    book.open("call@2", known)
    book.open(f"strange@{number}", logged_in)
    assert len(known.lines()) == len(logged_in.lines()) == 2


def test_a_ladder_has_an_end() -> None:
    trace = Trace(0.0)
    for _ in range(MAX_LINES + 5):
        trace.add(1.0, "in", FLOW, b"OPTIONS sip:a@b SIP/2.0\r\n")
    assert len(trace.lines()) == MAX_LINES
    assert trace.dropped == 5
