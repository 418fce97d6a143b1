"""What is done again and again, on virtual time."""

import asyncio

from structlog.testing import capture_logs

from edge.services.periodic import Periodic
from tests.support.virtual_time import VirtualClock, run_virtual


def test_it_goes_on_after_a_failure_and_ends_with_its_block() -> None:
    async def story(clock: VirtualClock) -> None:
        began, done = clock.monotonic(), []

        async def do() -> None:
            done.append(clock.monotonic() - began)
            if len(done) == 2:
                raise RuntimeError("once")

        with capture_logs() as lines:
            async with Periodic("work", do, 10, first_s=3):
                await asyncio.sleep(35)
            await asyncio.sleep(100)
        assert done == [3, 13, 23, 33]
        assert [(line["event"], line["what"]) for line in lines] == [("periodic.failed", "work")]

    run_virtual(story)
