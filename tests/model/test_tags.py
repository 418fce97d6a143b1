"""What is known of a visit or a caller, and what comes to it."""

from edge.model.tags import MOST_DATA, MOST_TEXT, added


def test_the_newest_value_counts_and_the_first_keys_are_kept() -> None:
    both, too_many = added({"a": "1", "b": "2"}, {"b": "3", "c": ("4", "5")})
    assert (both, too_many) == ({"a": "1", "b": "3", "c": ("4", "5")}, [])
    full = {f"k{n}": "x" for n in range(MOST_DATA)}
    both, too_many = added(full, {"k1": "y", "more": "z"})
    assert (len(both), both["k1"], too_many) == (MOST_DATA, "y", ["more"])


def test_there_is_no_end_to_what_may_be_said_but_to_what_is_kept() -> None:
    known: dict[str, str | tuple[str, ...]] = {}
    for n in range(50):
        known, _ = added(known, {f"k{n}": ("x" * 1000,) * 10})
    assert list(known) == ["k0"]
    both, too_many = added(known, {"k0": "short", "small": "x" * 1000, "large": "x" * MOST_TEXT})
    assert both == {"k0": "short", "small": "x" * 1000} and too_many == ["large"]
    both, too_many = added(both, {"small": "y" * MOST_TEXT})
    assert both["small"] == "x" * 1000 and too_many == ["small"], "what was known stays"
