"""Routing at size: 100,000 numbers, 1,000 campaigns, 2,000 targets; the functions and the edit alone.

CPU time where nothing waits, time on the clock for the edit and what it makes the loop wait.
"""

import asyncio
import gc
import logging
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from edge.clock import SystemClock
from edge.model.config import Campaign, CampaignSpec, Number, Routes, RouteTarget, Target
from edge.model.decision import CallFacts, Proceed
from edge.routing.admit import admit
from edge.routing.choose import choose, recheck
from edge.routing.snapshot import Snapshot
from edge.services.configuration import ConfigurationService
from edge.store.engine import Database
from edge.store.opening import prepare
from edge.store.repository import Objects

NUMBERS, CAMPAIGNS, TARGETS = 100_000, 1_000, 2_000
DECISIONS = 5_000
EDITS = 20
_NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
_STAMP: dict[str, Any] = {"created_at": _NOON, "updated_at": _NOON, "version": 1}
_OFFICE = {
    "timezone": "America/New_York",
    "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
}
_DAILY = {"id": "cap", "window": "day", "limit": 1000}


class _Empty:
    """Counts of a quiet day."""

    def taken(self, _cap_id: str, _window: str) -> int:
        return 0


def _targets() -> list[Target]:
    made = []
    for place in range(TARGETS):
        more: dict[str, Any] = {"hours": _OFFICE} if place % 2 else {}
        caps = [{**_DAILY, "id": f"cap_t{place}"}] if place % 4 == 0 else []
        fields = {
            "id": f"tgt_{place}",
            "name": f"T{place}",
            "address": f"sip:t{place}@pbx.example",
            "caps": caps,
        }
        made.append(Target.model_validate({**fields, **more, **_STAMP}))
    return made


def _campaigns() -> list[Campaign]:
    made = []
    for place in range(CAMPAIGNS):
        listed = [
            RouteTarget(target_id=f"tgt_{(place * 2 + n) % TARGETS}", priority=1 + n // 3, weight=n + 1)
            for n in range(6)
        ]
        fields = {"id": f"cmp_{place}", "name": f"C{place}", "hours": _OFFICE, "timezone": "America/New_York"}
        routes = Routes(targets=tuple(listed))
        caps = [{**_DAILY, "id": f"cap_c{place}"}]
        made.append(Campaign.model_validate({**fields, "caps": caps, "routes": routes, **_STAMP}))
    return made


def _numbers() -> list[Number]:
    made = []
    for place in range(NUMBERS):
        own: dict[str, Any] = {"caps": [{**_DAILY, "id": f"cap_n{place}"}]} if place % 10 == 0 else {}
        own |= {"tags": {"channel": "tv"}} if place % 3 == 0 else {}
        fields = {
            "id": f"num_{place}",
            "e164": f"+1312{place:07d}",
            "campaign_id": f"cmp_{place % CAMPAIGNS}",
        }
        made.append(Number.model_validate({**fields, "state": "active", **own, **_STAMP}))
    return made


def _decisions_us(snapshot: Snapshot) -> list[float]:
    """CPU of a whole decision each: admitted, its targets chosen, the first rechecked."""
    counts, chance = _Empty(), random.Random(1)
    spent = []
    for call in range(DECISIONS):
        number = f"+1312{chance.randrange(NUMBERS):07d}"
        facts = CallFacts(f"call_{call}", "trk_1", "+12125550100", number, _NOON)
        begun = time.process_time_ns()
        proceed = admit(facts, snapshot, counts)
        assert isinstance(proceed, Proceed)
        found = choose(proceed, facts, snapshot, counts, _NOON, chance.random)
        recheck(found.candidates[0], facts, snapshot, counts, _NOON)
        spent.append((time.process_time_ns() - begun) / 1000)
    return spent


async def _longest_wait(done: asyncio.Event) -> float:
    """The longest that the loop came late to a ticker of 1 ms, in ms."""
    longest = 0.0
    while not done.is_set():
        due = time.monotonic() + 0.001
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - due)
    return 1000 * longest


async def _idle() -> float:
    """The longest wait of a loop that does nothing: what the machine does to every figure here."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(1, done.set)
    return await _longest_wait(done)


async def _edits(snapshot: Snapshot) -> tuple[list[float], float]:
    """Edits of one campaign of many, each until the next call sees it (ms), and the loop's longest wait."""
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as directory:
        path = Path(directory) / "edge.db"
        prepare(path)
        async with (
            Database(path) as database,
            ConfigurationService(Objects(database), SystemClock()) as service,
        ):
            made = await service.create("campaign", CampaignSpec(name="Edited"))
            service._current = snapshot.with_changes([made])  # type: ignore[list-item]
            done, took = asyncio.Event(), []
            waiting = asyncio.create_task(_longest_wait(done))
            for number in range(EDITS):
                begun = time.perf_counter()
                await service.patch("campaign", made.id, {"name": f"Edited {number}"}, None)
                assert service.current.campaign(made.id).name == f"Edited {number}"  # type: ignore[union-attr]
                took.append(1000 * (time.perf_counter() - begun))
                await asyncio.sleep(0.01)
            done.set()
            return took, await waiting


def run() -> dict[str, Any]:
    """One measurement of everything."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    numbers, campaigns, targets = _numbers(), _campaigns(), _targets()
    gc.collect()
    gc.freeze()
    begun, on_clock = time.process_time(), time.perf_counter()
    snapshot = Snapshot.build(numbers=numbers, campaigns=campaigns, targets=targets)
    built, waited = time.process_time() - begun, time.perf_counter() - on_clock
    gc.collect()
    gc.freeze()
    spent = sorted(_decisions_us(snapshot))
    idle, begun = asyncio.run(_idle()), time.process_time()
    took, longest = asyncio.run(_edits(snapshot))
    cpu = 1000 * (time.process_time() - begun) / EDITS
    gc.unfreeze()
    return {
        "build_s": round(built, 3),
        "build_clock_s": round(waited, 3),
        "decision_us": round(statistics.median(spent), 1),
        "decision_p99_us": round(spent[len(spent) * 99 // 100], 1),
        "edit_ms": round(statistics.median(took), 2),
        "edit_cpu_ms": round(cpu, 2),
        "edit_max_ms": round(max(took), 2),
        "loop_wait_ms": round(longest, 2),
        "idle_wait_ms": round(idle, 2),
    }
