"""A short fuzz campaign in every test run, and proof that a campaign finds what is broken."""

import random
import subprocess
import sys

import pytest

from tests.fuzz.run import NAMES, ROOT, loop, mutate, targets


@pytest.mark.timeout(400)
def test_a_minute_finds_nothing() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--seconds", "60"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_and_their_near_relations_pass(name: str) -> None:
    check, seeds = targets()[name]
    chance = random.Random(7)
    for seed in seeds:
        check(seed)
        for _ in range(10):
            check(mutate(seed, seeds, chance))


def test_a_planted_fault_is_found() -> None:
    def faulty(data: bytes) -> None:
        if b"\x00" in data:
            raise RuntimeError("found")

    with pytest.raises(RuntimeError, match="found"):
        loop(faulty, [b"a;b,c"], 30.0, seed=1)
