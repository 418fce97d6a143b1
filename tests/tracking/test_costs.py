"""What a visit costs does not grow with those that were there before."""

from pathlib import Path

from tests.support.steps import Steps
from tests.tracking.pool_world import PoolWorld


def test_a_new_visitor_costs_the_same_however_many_got_no_number(path: Path) -> None:
    pool = PoolWorld(path, 1)
    steps = Steps(pool.db)
    pool.visit("has it", 0)
    costs = [steps.of(lambda who=f"v{n}": pool.visit(who, 1)) for n in range(200)]  # type: ignore[misc]
    assert 0 < costs[-1] < 2 * costs[1]
