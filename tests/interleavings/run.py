"""A long run of the interleavings: ``python -m tests.interleavings.run --seconds 600 [--steps 40]``.

Stops at the first failure with the moves that lead to it, made as few as possible; exit 1.
"""

import argparse
import sys
import time
from collections import Counter
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings

from tests.interleavings import machine

ROUND = 25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to go on")
    parser.add_argument("--steps", type=int, default=40, help="moves of one story at most")
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    checked = machine.check

    def check(record: Any) -> None:
        ends[record["disposition"]] += 1
        checked(record)

    case = machine.Interleavings.TestCase
    case.settings = settings(
        max_examples=ROUND,
        stateful_step_count=options.steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    rounds, until = 0, time.monotonic() + options.seconds
    with mock.patch.object(machine, "check", check):
        while time.monotonic() < until:
            case().runTest()
            rounds += 1
    print(f"{rounds * ROUND} stories, {ends.total()} calls:")
    for disposition, count in ends.most_common():
        print(f"  {count:7} {disposition}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
