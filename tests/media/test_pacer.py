"""Pacing by count: no drift, no bursts, streams spread."""

from collections import Counter

import pytest

from edge.media.pacer import SPREAD_MS, Pacer


class Stream:
    def __init__(self, every: int = 20, times: int = 10**9) -> None:
        self.every, self.times = every, times
        self.ticks: list[int] = []

    def step(self, tick: int) -> int:
        self.ticks.append(tick)
        return self.every if len(self.ticks) < self.times else 0


def test_a_stream_keeps_its_grid_however_late_the_loop_comes() -> None:
    pacer, stream = Pacer(), Stream()
    pacer.start(stream.step, 0)
    for now in (3, 47, 48, 103, 140):
        pacer.run(now)
    first = stream.ticks[0]
    assert stream.ticks == list(range(first, 141, 20))


def test_a_stream_that_fails_stops_none_of_those_of_its_millisecond() -> None:
    pacer, before, after = Pacer(), Stream(), Stream()

    def fails(_: int) -> int:
        raise ZeroDivisionError

    for step in (before.step, fails, after.step):
        pacer._put(step, 7)
    with pytest.raises(ZeroDivisionError):
        pacer.run(7)
    pacer.run(60)
    assert before.ticks == [7, 27, 47]
    assert len(after.ticks) == 3 and after.ticks[0] <= 8


def test_after_a_long_stall_missed_ticks_are_left_out() -> None:
    pacer, stream = Pacer(), Stream()
    pacer.start(stream.step, 0)
    pacer.run(5)
    pacer.run(5000)
    assert len(stream.ticks) == 2
    pacer.run(5100)
    assert len(stream.ticks) == 2 + 5


def test_many_streams_are_spread_evenly() -> None:
    pacer = Pacer()
    streams = [Stream() for _ in range(10 * SPREAD_MS)]
    for stream in streams:
        pacer.start(stream.step, 0)
    pacer.run(SPREAD_MS)
    load = Counter(stream.ticks[0] for stream in streams)
    assert set(load.values()) == {10}


def test_a_stream_that_ended_is_not_called_again_and_nothing_is_left() -> None:
    pacer, stream = Pacer(), Stream(times=3)
    pacer.start(stream.step, 0)
    pacer.run(100)
    assert len(stream.ticks) == 3
    assert pacer.next_tick is None
