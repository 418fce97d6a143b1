"""What the overload campaign calls a miss."""

from tests.overload.run import misses

GOOD = {"goodput": 460.0, "failed_pct": 70.0}
WELL = {"goodput": 400.0, "failed_pct": 0.0}


def test_ninety_percent_of_the_goodput_and_a_clean_recovery_are_wanted() -> None:
    assert misses(500.0, GOOD, WELL) == []
    (collapsed,) = misses(500.0, {**GOOD, "goodput": 440.0}, WELL)
    assert "440.0" in collapsed
    (limping,) = misses(500.0, GOOD, {**WELL, "failed_pct": 0.1})
    assert "0.1 %" in limping
