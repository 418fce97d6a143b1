"""The test support's virtual time: it jumps, it is monotonic, and it finds deadlocks."""

import asyncio

import pytest

from tests.support.virtual_time import Deadlock, VirtualClock, run_virtual


def test_an_hour_takes_no_time_and_order_is_kept() -> None:
    async def story(clock: VirtualClock) -> list[float]:
        started = clock.monotonic()
        woken: list[float] = []

        async def wake(after: float) -> None:
            await asyncio.sleep(after)
            woken.append(clock.monotonic() - started)

        await asyncio.gather(wake(3600), wake(1), wake(60))
        return woken

    assert run_virtual(story) == pytest.approx([1, 60, 3600])


def test_utc_goes_along() -> None:
    async def story(clock: VirtualClock) -> float:
        before = clock.utc()
        await asyncio.sleep(90)
        return (clock.utc() - before).total_seconds()

    assert run_virtual(story) == pytest.approx(90)


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def story(clock: VirtualClock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtual(story)
