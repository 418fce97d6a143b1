"""The timer queues: order, cancelling, deadlines, and what a failing action does not break."""

import pytest

from edge.sip.timers import NEVER, LongTimer, Timers


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.woken: list[float] = []

    def timers(self) -> Timers:
        return Timers(lambda: self.now, lambda: self.woken.append(self.now))


def test_due_timers_run_in_the_order_of_their_time() -> None:
    clock, ran = Clock(), []
    timers = clock.timers()
    for delay in (4.0, 0.5, 32.0, 1.0, 0.5):
        timers.start(delay, lambda delay=delay: ran.append(delay))  # type: ignore[misc]
    clock.now = 5.0
    timers.run()
    assert ran == [0.5, 0.5, 1.0, 4.0]
    assert timers.earliest == 32.0


def test_a_cancelled_timer_neither_runs_nor_is_waited_for() -> None:
    clock, ran = Clock(), []
    timers = clock.timers()
    first = timers.start(0.5, lambda: ran.append("first"))
    timers.start(1.0, lambda: ran.append("second"))
    first.cancel()
    clock.now = 0.6
    timers.run()
    assert ran == [] and timers.earliest == 1.0 and len(timers) == 1


def test_an_action_may_cancel_what_is_due_with_it() -> None:
    clock, ran = Clock(), []
    timers = clock.timers()

    def cancel_later() -> None:
        later.cancel()

    timers.start(0.5, cancel_later)
    later = timers.start(1.0, lambda: ran.append("late"))
    clock.now = 2.0
    timers.run()
    assert ran == [] and timers.earliest == NEVER


def test_only_a_nearer_deadline_wakes() -> None:
    clock = Clock()
    timers = clock.timers()
    for delay in (4.0, 32.0, 0.5, 1.0):
        timers.start(delay, lambda: None)
    assert len(clock.woken) == 2


def test_a_failing_action_does_not_take_the_others_with_it() -> None:
    clock, ran = Clock(), []
    timers = clock.timers()

    def fail() -> None:
        raise RuntimeError

    timers.start(0.5, fail)
    timers.start(1.0, lambda: ran.append("other"))
    clock.now = 2.0
    with pytest.raises(RuntimeError):
        timers.run()
    assert timers.earliest == 1.0
    timers.run()
    assert ran == ["other"]


def running(clock: Clock, timers: Timers, seconds: float) -> None:
    """Time passes from deadline to deadline."""
    end = clock.now + seconds
    while timers.earliest <= end:
        clock.now = max(clock.now, timers.earliest)
        timers.run()
    clock.now = end


@pytest.mark.parametrize("length", [0, 0.5, 1, 61.5, 180, 1799, 86_400])
def test_a_long_timer_runs_once_at_its_time(length: float) -> None:
    clock, ran = Clock(), []
    timers = clock.timers()
    LongTimer(timers, length, lambda: ran.append(clock.now))
    running(clock, timers, 100_000)
    assert ran == [length] and len(timers) == 0


def test_a_long_timer_may_be_cancelled_in_any_of_its_steps() -> None:
    clock, ran = Clock(), []
    timers = clock.timers()
    for after in (0, 100, 170, 179):
        timer = LongTimer(timers, 180, lambda: ran.append(clock.now))
        running(clock, timers, after)
        timer.cancel()
        running(clock, timers, 1000)
    assert ran == [] and len(timers) == 0


def test_any_number_of_lengths_needs_few_queues() -> None:
    clock = Clock()
    timers = clock.timers()
    for seconds in range(90, 5000):
        LongTimer(timers, seconds, lambda: None)
    running(clock, timers, 2500)
    assert len(timers._queues) < 20
