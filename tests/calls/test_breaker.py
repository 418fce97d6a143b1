"""A target that failed several times running is passed over, and found out by one call."""

from edge.calls.breaker import FAILURES, Breaker
from tests.routing.world import target, trunk, world
from tests.support.virtual_time import VirtualClock


def failing(clock: VirtualClock, times: int = FAILURES) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(times):
        breaker.dialled("tgt_1")
        breaker.failed("tgt_1", "503")
    return breaker


def test_it_takes_several_failures_in_a_row() -> None:
    clock = VirtualClock()
    breaker = failing(clock, FAILURES - 1)
    assert "tgt_1" not in breaker and breaker.reachability("tgt_1") is None
    breaker.failed("tgt_1", "503")
    assert "tgt_1" in breaker and "tgt_2" not in breaker
    shown = breaker.reachability("tgt_1")
    assert shown is not None and shown.state == "down" and "503" in shown.reason


def test_any_answer_in_between_counts_anew() -> None:
    breaker = failing(VirtualClock(), FAILURES - 1)
    breaker.succeeded("tgt_1")
    breaker.failed("tgt_1", "503")
    assert "tgt_1" not in breaker


def test_after_its_time_one_call_finds_out() -> None:
    clock = VirtualClock()
    breaker = failing(clock)
    clock.advance(30)
    assert "tgt_1" not in breaker
    breaker.dialled("tgt_1")
    assert "tgt_1" in breaker, "the others do not wait with it"
    breaker.succeeded("tgt_1")
    assert "tgt_1" not in breaker


def test_each_failure_more_doubles_the_wait_up_to_five_minutes() -> None:
    clock = VirtualClock()
    breaker = failing(clock)
    for wait_s in (60, 120, 240, 300, 300):
        clock.advance(1000)
        breaker.dialled("tgt_1")
        breaker.failed("tgt_1", "503")
        clock.advance(wait_s - 1)
        assert "tgt_1" in breaker
        clock.advance(1)
        assert "tgt_1" not in breaker


def test_who_says_when_to_come_back_is_left_alone_until_then() -> None:
    clock = VirtualClock()
    breaker = Breaker(clock)
    breaker.failed("tgt_1", "503", 120)
    clock.advance(119)
    assert "tgt_1" in breaker
    clock.advance(1)
    assert "tgt_1" not in breaker
    breaker.failed("tgt_1", "503", 86_400)
    clock.advance(601)
    assert "tgt_1" not in breaker, "nobody takes himself out for a day"


def test_what_is_kept_has_a_bound() -> None:
    breaker = Breaker(VirtualClock())
    for number in range(10_100):
        breaker.failed(f"tgt_{number}", "503", 60)
    assert "tgt_0" not in breaker and "tgt_10099" in breaker


def test_an_edit_of_its_ways_begins_anew_and_another_one_does_not() -> None:
    """Or an address that was put right is passed over for minutes, for what the wrong one did."""
    before = world(
        targets=[target(address="+13125550199", trunk_ids=("trk_1",))], trunks=[trunk(proxy="sip:a.example")]
    )
    for now in (
        before.with_changes(put=[target(address="sip:x@pbx.example")]),
        before.with_changes(put=[trunk(proxy="sip:b.example")]),
    ):
        breaker = failing(VirtualClock())
        breaker.reconsider(before, before.with_changes(put=[trunk(id="trk_2")]))
        assert "tgt_1" in breaker
        breaker.reconsider(before, now)
        assert "tgt_1" not in breaker and breaker.reachability("tgt_1") is None
