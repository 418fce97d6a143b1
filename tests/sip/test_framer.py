"""Messages out of a stream, however its bytes arrive."""

import re
from collections.abc import Iterable

import pytest

from edge.sip.framer import (
    MAX_BODY,
    MAX_HEAD,
    MAX_HELD,
    MAX_MESSAGE,
    Frame,
    Framer,
    Held,
    Keepalive,
    Verdict,
    read,
)
from edge.sip.message import Request, SipParseError
from tests.sip.corpus import BODY, WRONG, invite, lines, message

INVITE = "INVITE sip:a@edge.test SIP/2.0"


def fed(data: bytes, step: int) -> list[Frame]:
    framer = Framer()
    return [frame for at in range(0, len(data), step) for frame in framer.feed(data[at : at + step])]


def one_error(frames: Iterable[Frame]) -> SipParseError:
    (frame,) = frames
    assert isinstance(frame, SipParseError)
    return frame


def kinds(frames: Iterable[Frame]) -> list[str]:
    return [type(frame).__name__.removeprefix("Read") for frame in frames]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 100_000])
def test_bytes_may_arrive_in_any_pieces(step: int) -> None:
    ping, response = b"\r\n\r\n", message("SIP/2.0 200 OK", lines())
    frames = fed(invite() + ping + response + b"\r\n" + invite(Call_ID="2"), step)
    assert kinds(frames) == ["Request", "Keepalive", "Response", "Request"]
    assert isinstance(frames[0], Request)
    assert frames[0].body == BODY
    assert isinstance(frames[3], Request)
    assert frames[3].call_id == "2"


def test_what_follows_a_message_is_the_next_one() -> None:
    frames = fed(invite(Call_ID="1") + invite(Call_ID="2"), 100_000)
    assert [frame.call_id for frame in frames if isinstance(frame, Request)] == ["1", "2"]


def test_a_lone_line_break_is_no_ping() -> None:
    framer = Framer()
    assert next(framer.feed(b"\r\n"), None) is None
    assert kinds(framer.feed(invite())) == ["Request"]
    assert next(framer.feed(b"\r\n"), None) is None
    assert next(framer.feed(b"\r"), None) is None
    assert kinds(framer.feed(b"\n")) == ["Keepalive"]


def test_a_burst_of_pings_is_answered_once() -> None:
    assert kinds(Framer().feed(b"\r\n" * 10_000)) == ["Keepalive"]


def test_an_unfinished_message_is_known_to_be_pending() -> None:
    framer = Framer()
    assert not framer.pending
    assert not kinds(framer.feed(invite()[:50]))
    assert framer.pending
    assert not kinds(framer.feed(invite()[50:-1]))
    assert framer.pending
    assert kinds(framer.feed(invite()[-1:])) == ["Request"]
    assert not framer.pending


@pytest.mark.parametrize("length", [None, "-1", "0x10", "1 2", "99999999999999999999999", "٣", "1\r\n 2"])
def test_without_a_length_the_stream_is_lost(length: str | None) -> None:
    framer = Framer()
    error = one_error(framer.feed(message(INVITE, lines(), BODY, length) + invite()))
    assert (error.status, error.close) == (400, True)
    assert error.request is not None
    assert next(framer.feed(invite()), None) is None
    assert not framer.pending


@pytest.mark.parametrize("second", ["5", "6"])
def test_two_lengths_are_refused_even_if_they_agree(second: str) -> None:
    error = one_error(fed(message(INVITE, [*lines(), f"l: {second}"], b"hello"), 100_000))
    assert (error.status, error.close) == (400, True)


@pytest.mark.parametrize(("length", "status"), [(MAX_BODY + 1, 413), (MAX_MESSAGE, 513), (2**31 - 1, 513)])
def test_size_is_refused_by_its_declaration(length: int, status: int) -> None:
    error = one_error(fed(message(INVITE, lines(), b"", str(length)), 1000))
    assert (error.status, error.close) == (status, True)
    assert error.request is not None


def test_the_largest_body_passes() -> None:
    (frame,) = fed(message(INVITE, lines(), bytes(MAX_BODY)), 65_536)
    assert isinstance(frame, Request)
    assert len(frame.body) == MAX_BODY


def test_a_head_without_end_is_refused_and_forgotten() -> None:
    framer = Framer()
    head = message(INVITE, lines())[:-2]
    assert next(framer.feed(head), None) is None
    error = one_error(framer.feed(b"X-A: " + b"x" * MAX_HEAD))
    assert (error.status, error.close) == (513, True)
    assert error.request is not None
    assert not framer.pending


def test_a_head_is_too_large_even_if_it_comes_at_once() -> None:
    error = one_error(Framer().feed(message(INVITE, [*lines(), *["X-A: " + "x" * 8000] * 9])))
    assert (error.status, error.close, error.reason) == (513, True, "header block too large")


def test_garbage_without_end_is_dropped_in_silence() -> None:
    error = one_error(fed(b"\x16\x03\x01" + bytes(MAX_HEAD + 10), 4096))
    assert (error.status, error.close) == (0, True)


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"\x00\x01\x00\x08!\x12\xa4B" + bytes(20), b"\xff", b"\n"])
def test_what_can_not_begin_a_message_ends_the_stream_at_once(data: bytes) -> None:
    error = one_error(fed(invite() + data, 1)[1:])
    assert (error.status, error.close) == (0, True)


def test_a_refused_message_leaves_the_next_alone() -> None:
    frames = fed(invite(CSeq="7 BYE") + invite(), 50)
    assert kinds(frames) == ["SipParseError", "Request"]
    assert isinstance(frames[0], SipParseError)
    assert (frames[0].status, frames[0].close) == (400, False)


@pytest.mark.parametrize(
    "name", ["header without colon", "bare LF in a value", "257 headers", "value too long"]
)
def test_a_head_that_can_not_be_trusted_ends_the_stream(name: str) -> None:
    wrong = next(wrong for wrong in WRONG if wrong.name == name)
    error = one_error(fed(wrong.data + invite(), 64))
    assert (error.status, error.close) == (wrong.status, True)


def test_good_messages_before_a_lost_stream_come_out() -> None:
    assert kinds(fed(invite() + b"junk\r\n\r\n", 100_000)) == ["Request", "SipParseError"]


def test_a_keepalive_is_like_any_other() -> None:
    assert Keepalive() == Keepalive()


# -- the gate ---------------------------------------------------------------------------------------------


def gated(data: bytes, step: int, *verdicts: Verdict) -> list[str]:
    """The Call-IDs that come out, if the gate says so of each message in turn."""
    said = iter(verdicts)
    framer = Framer(lambda head: next(said))
    frames = [frame for at in range(0, len(data), step) for frame in framer.feed(data[at : at + step])]
    assert not framer.pending
    return [frame.call_id if isinstance(frame, Request) else frame.reason for frame in frames]  # type: ignore[union-attr]


MANY = b"".join(invite(Call_ID=str(n)) for n in range(4))


@pytest.mark.parametrize("step", [1, 7, 500, 100_000])
def test_what_is_skipped_is_dropped_with_its_body_and_nothing_else(step: int) -> None:
    assert gated(MANY, step, "skip", "read", "skip", "read") == ["1", "3"]


@pytest.mark.parametrize("verdict", ["read", "hold"])
@pytest.mark.parametrize("folded", ["", "\r\n a"])
def test_a_stream_may_be_held_to_shorter_messages(verdict: Verdict, folded: str) -> None:
    framer = Framer(lambda head: verdict)
    framer.most = MAX_HELD
    data = invite(Subject=f"a{folded}", Call_ID="x" * 2000)
    (frame,) = framer.feed(data)
    assert not isinstance(frame, SipParseError)
    head = invite(Subject=f"a{folded}").partition(b"\r\n\r\n")[0]
    (refused,) = framer.feed(re.sub(rb"Content-Length: \d+", b"Content-Length: 70000", head) + b"\r\n\r\n")
    assert isinstance(refused, SipParseError) and (refused.status, refused.close) == (513, True)


@pytest.mark.parametrize("step", [1, 7, 500, 100_000])
def test_after_a_stop_nothing_comes(step: int) -> None:
    assert gated(MANY, step, "read", "stop") == ["0"]


def test_what_is_skipped_is_not_even_parsed() -> None:
    broken = invite(CSeq="x").replace(b"Via: ", b"Via ")
    assert gated(broken + invite(Call_ID="1"), 50, "skip", "read") == ["1"]


@pytest.mark.parametrize("step", [1, 7, 500, 100_000])
def test_what_is_held_comes_out_unread_in_its_place(step: int) -> None:
    said = iter(("read", "hold", "hold"))
    framer = Framer(lambda head: next(said))  # type: ignore[arg-type]
    data = MANY[: len(MANY) // 4 * 2] + message(INVITE, lines(), b"abc", "4")
    frames = [frame for at in range(0, len(data), step) for frame in framer.feed(data[at : at + step])]
    assert kinds(frames) == ["Request", "Held"] and framer.pending
    (last,) = framer.feed(b"d")
    assert isinstance(frames[1], Held)
    assert frames[1].head + b"\r\n\r\n" + frames[1].body == MANY[len(MANY) // 4 : len(MANY) // 4 * 2]
    assert isinstance(last, Held) and last.body == b"abcd"


def test_what_is_large_is_not_held() -> None:
    for size, kind in ((100, "Held"), (MAX_HELD, "Request")):
        data = message(INVITE, lines(), b"x" * size, str(size))
        assert kinds(Framer(lambda head: "hold").feed(data)) == [kind]


def test_what_was_held_is_read_as_it_would_have_been() -> None:
    for data in (invite(), invite(CSeq="x"), invite().replace(b"Via: ", b"Via "), invite(X="x" * 9000)):
        (early,) = Framer().feed(data)
        (held,) = Framer(lambda head: "hold").feed(data)
        assert isinstance(held, Held)
        late = read(held)
        assert type(late) is type(early)
        if isinstance(late, SipParseError):
            assert isinstance(early, SipParseError)
            assert (late.reason, late.status, late.close) == (early.reason, early.status, early.close)


@pytest.mark.parametrize("length", ["-1", "1\r\n 2", "5\r\nl: 5", str(MAX_BODY + 1)])
@pytest.mark.parametrize("verdict", ["skip", "hold"])
def test_what_does_not_tell_its_length_plainly_is_read(length: str, verdict: Verdict) -> None:
    (said,) = gated(message(INVITE, lines(), b"", length), 100_000, verdict)
    assert "ength" in said or said == "body too large"
