"""One event for each key press, whatever packets were lost, repeated or late (RFC 4733)."""

import pytest

from edge.media.dtmf import DIGITS, LATE_S, LOST_END_S, DtmfReceiver
from edge.media.engine import Dtmf
from tests.support.rtp_end import event


def press(receiver: DtmfReceiver, digit: int, timestamp: int, at: float = 0.0) -> list[Dtmf]:
    """A whole press of 100 ms, its end three times, as phones send it."""
    events: list[Dtmf] = []
    for n in range(1, 5):
        events += receiver.receive(timestamp, event(digit, 160 * n), at + 0.02 * n)
    for _ in range(3):
        events += receiver.receive(timestamp, event(digit, 800, end=True), at + 0.1)
    return events


@pytest.mark.parametrize(("code", "digit"), list(enumerate(DIGITS)))
def test_a_press_is_one_event_with_its_duration(code: int, digit: str) -> None:
    assert press(DtmfReceiver(), code, 1000) == [Dtmf(digit, 100)]


def test_the_same_key_twice_is_two_events() -> None:
    receiver = DtmfReceiver()
    assert press(receiver, 5, 1000) + press(receiver, 5, 3000) == [Dtmf("5", 100)] * 2


def test_only_the_end_packets_arrived() -> None:
    assert DtmfReceiver().receive(7, event(1, 480, end=True), 0.0) == [Dtmf("1", 60)]


def test_lost_end_packets_end_the_press_by_time_once() -> None:
    receiver = DtmfReceiver()
    receiver.receive(7, event(1, 480), 0.0)
    assert receiver.expire(LOST_END_S - 0.01) is None
    assert receiver.expire(LOST_END_S) == Dtmf("1", 60)
    assert receiver.expire(9.0) is None
    assert receiver.receive(7, event(1, 800, end=True), 9.0) == []


def test_lost_end_packets_end_the_press_by_the_next_one() -> None:
    receiver = DtmfReceiver()
    receiver.receive(7, event(1, 480), 0.0)
    assert press(receiver, 2, 2000) == [Dtmf("1", 60), Dtmf("2", 100)]


def test_a_late_packet_of_an_earlier_press_is_nothing_new() -> None:
    receiver = DtmfReceiver()
    press(receiver, 1, 1000)
    press(receiver, 2, 3000)
    assert receiver.receive(1000, event(1, 320), 1.0) == []
    assert receiver.receive(1000, event(1, 800, end=True), 1.0) == []


def test_a_peer_whose_audio_begins_anew_is_heard_whatever_its_timestamps_say() -> None:
    receiver = DtmfReceiver()
    press(receiver, 1, 900_000)
    ended = receiver.receive(5000, event(2, 800, end=True), 0.5, ssrc=7)
    assert ended == [Dtmf("2", 100)], "another source has timestamps of its own"
    assert receiver.receive(5000, event(2, 800, end=True), 0.5, ssrc=7) == []
    assert receiver.receive(1000, event(3, 800, end=True), 0.5 + LATE_S, ssrc=7) == [Dtmf("3", 100)]


def test_a_key_that_was_down_as_the_source_changed_is_told() -> None:
    receiver = DtmfReceiver()
    receiver.receive(900_000, event(1, 480), 0.0)
    assert receiver.receive(5000, event(2, 160), 0.1, ssrc=7) == [Dtmf("1", 60)]


def test_the_timestamp_wraps() -> None:
    receiver = DtmfReceiver()
    assert press(receiver, 1, 0xFFFFFF00) + press(receiver, 2, 0x700) == [Dtmf("1", 100), Dtmf("2", 100)]


def test_a_long_press_in_segments_is_one_event() -> None:
    receiver = DtmfReceiver()
    assert receiver.receive(1000, event(9, 0xFFFF), 0.0) == []
    assert receiver.receive(1000 + 0xFFFF, event(9, 160), 8.2) == []
    assert receiver.receive(1000 + 0xFFFF, event(9, 800, end=True), 8.3) == [
        Dtmf("9", 1000 * (0xFFFF + 800) // 8000)
    ]


def test_the_duration_counts_in_the_codecs_clock() -> None:
    assert DtmfReceiver(48000).receive(1, event(1, 4800, end=True), 0.0) == [Dtmf("1", 100)]


@pytest.mark.parametrize("payload", [b"", b"\x01\x80\x01", event(16, 800, end=True), event(255, 1, end=True)])
def test_what_is_no_key_is_ignored(payload: bytes) -> None:
    assert DtmfReceiver().receive(1, payload, 0.0) == []
