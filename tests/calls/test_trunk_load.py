"""A trunk's own limits: calls at once and calls per second."""

from datetime import UTC, datetime

from edge.calls.trunk_load import TrunkLoad
from edge.model.config import Trunk

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def trunk(max_calls: int | None = None, max_cps: float | None = None) -> Trunk:
    return Trunk(
        id="trk_1", name="carrier", addresses=("192.0.2.1/32",), max_calls=max_calls, max_cps=max_cps,
        created_at=NOW, updated_at=NOW, version=1,
    )  # fmt: skip


def test_no_more_calls_at_once_than_allowed_and_a_place_comes_back() -> None:
    load, limited = TrunkLoad(), trunk(max_calls=2)
    assert load.admit(limited, 0) is None
    assert load.admit(limited, 0) is None
    assert "max_calls 2" in (load.admit(limited, 0) or "")
    load.leave("trk_1")
    assert load.admit(limited, 0) is None


def test_calls_per_second_refill_with_time() -> None:
    load, limited = TrunkLoad(), trunk(max_cps=2)
    answers = [load.admit(limited, 0.0) for _ in range(3)]
    assert answers[:2] == [None, None]
    assert "max_cps 2" in (answers[2] or "")
    assert load.admit(limited, 0.5) is None
    assert load.admit(limited, 0.6) is not None


def test_a_refused_call_holds_no_place() -> None:
    load = TrunkLoad()
    full = trunk(max_calls=0)
    assert load.admit(full, 0) is not None
    assert load.live("trk_1") == 0


def test_leaving_never_goes_below_zero() -> None:
    load = TrunkLoad()
    load.leave("trk_1")
    assert load.live("trk_1") == 0
