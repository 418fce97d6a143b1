"""The end of a call: what it holds does not wait for what takes time, nor its record for what breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest

from edge.calls.call import Call
from edge.calls.hunt import Bridged
from edge.calls.settling import close
from edge.calls.trace import Trace
from edge.model.ledger import Command, Finish, Release
from tests.calls.test_record import record
from tests.support.virtual_time import VirtualClock, run_virtual


def closed(
    finish: Callable[[], Awaitable[None]],
    *,
    holds: bool,
    hang_up: Callable[[str | None], None] = lambda _: None,
) -> list[tuple[Command, float]]:
    """What the store is told at a call's end, and when: ``finish`` is that of its media."""
    posted: list[tuple[Command, float]] = []

    async def story(clock: VirtualClock) -> None:
        async def finished(*, hurry: bool) -> dict[int, object]:
            await finish()
            return {}

        media = SimpleNamespace(finish=finished)
        call = SimpleNamespace(
            services=SimpleNamespace(
                clock=clock,
                store=SimpleNamespace(
                    post=lambda command: posted.append((command, clock.monotonic() - 1000.0))
                ),
                traces=SimpleNamespace(close=lambda _: None),
                messages=SimpleNamespace(keep=lambda *_: None),
            ),
            record=record(),
            facts=record().facts,
            former=[],
            target=None,
            given=None,
            invite=SimpleNamespace(hang_up=hang_up, closing=False),
            reception=SimpleNamespace(caller=None, media=media, inbox=SimpleNamespace(close=lambda: None)),
            recordings=SimpleNamespace(running={}),
            holds_slots=holds,
            bridged=Bridged("", 0),
            trace=Trace(0.0),
        )
        await close(cast(Call, call), None)
        await asyncio.sleep(1.0)  # nothing more comes

    run_virtual(story)
    return posted


@pytest.mark.parametrize(
    ("takes_s", "holds", "told"),
    [(0.05, True, [Finish]), (30.0, True, [Release, Finish]), (30.0, False, [Finish])],
)
def test_slots_are_free_at_once_however_long_the_end_takes(
    takes_s: float, holds: bool, told: list[type[Command]]
) -> None:
    """A recorder that is slow, or a target that does not answer its CANCEL (rule: Caps, K8)."""

    async def slow() -> None:
        await asyncio.sleep(takes_s)

    posted = closed(slow, holds=holds)
    assert [type(command) for command, _ in posted] == told
    command, at = posted[0]
    if isinstance(command, Release):
        assert (command.attempt, at < 0.2) == (None, True)


@pytest.mark.parametrize("what", ["media", "dialog"])
def test_a_call_whose_end_breaks_has_its_record_and_holds_nothing(what: str) -> None:
    """Its pool number would be busy, and its record missing, until the server starts again."""

    def breaks(*_: object) -> None:
        raise RuntimeError("a mistake")

    async def finish() -> None:
        if what == "media":
            breaks()

    posted = closed(finish, holds=True, hang_up=breaks if what == "dialog" else lambda _: None)
    assert [type(command) for command, _ in posted] == [Finish]
