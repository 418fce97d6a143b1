"""The media timeout, second by second."""

from edge.media.engine import Plan
from edge.media.silence import Silence

TALKING = Plan(None)
HELD = Plan(None, silence_ok=True)


def seconds_to_timeout(
    silence: Silence, plan: Plan, start: int, *, bridged: bool, limit: int = 100
) -> int | None:
    for second in range(start, start + limit):
        if silence.sweep(5, plan, float(second), bridged=bridged):
            return second
    return None


def test_a_bridged_peer_that_goes_silent_times_out_and_again_while_nobody_ends_the_call() -> None:
    silence = Silence(30, 0)
    assert seconds_to_timeout(silence, TALKING, 1, bridged=True) == 31
    assert seconds_to_timeout(silence, TALKING, 32, bridged=True) == 61


def test_a_peer_on_hold_may_be_silent_and_its_time_starts_at_resume() -> None:
    silence = Silence(30, 0)
    assert seconds_to_timeout(silence, HELD, 1, bridged=True) is None
    assert seconds_to_timeout(silence, TALKING, 101, bridged=True) == 130


def test_a_bridged_peer_that_was_never_heard_times_out() -> None:
    silence = Silence(30, 0)
    assert [now for now in range(50) if silence.sweep(0, TALKING, now, bridged=True)] == [30]


def test_a_ringing_leg_that_was_never_heard_does_not() -> None:
    silence = Silence(30, 0)
    assert not any(silence.sweep(0, TALKING, now, bridged=False) for now in range(100))


def test_any_packet_starts_the_time_anew_and_a_second_silence_is_told() -> None:
    silence = Silence(30, 0)
    assert seconds_to_timeout(silence, TALKING, 1, bridged=True) == 31
    silence.sweep(6, TALKING, 40, bridged=True)
    assert silence.heard == 40
    assert [now for now in range(41, 90) if silence.sweep(6, TALKING, now, bridged=True)] == [70]
