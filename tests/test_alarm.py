"""One timer serves many deadlines."""

import asyncio

from edge.alarm import Alarm


async def test_it_rings_for_the_earliest_and_not_once_it_is_stopped() -> None:
    loop, rung = asyncio.get_running_loop(), list[float]()
    alarm = Alarm(loop, lambda: rung.append(loop.time()))
    start = loop.time()
    for after in (60.0, 0.02, 0.04):
        alarm.by(start + after)
    async with asyncio.timeout(10):
        while not rung:
            await asyncio.sleep(0)
    assert 0.015 < rung[0] - start < 10
    alarm.by(loop.time())
    alarm.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(rung) == 1
