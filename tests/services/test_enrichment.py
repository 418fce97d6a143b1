"""What publishers said of callers: kept for 48 hours, over a restart, and no longer."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from edge.model.tags import MOST_DATA
from edge.services import enrichment
from edge.services.enrichment import EnrichmentService
from edge.store.engine import Database
from edge.store.enrichments import Enrichments
from edge.store.opening import prepare
from tests.store.conftest import HandClock

CALLER, DAY = "+12125550100", 24 * 3600


async def test_it_is_kept_for_48_hours_and_over_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "edge.db", HandClock()
    prepare(path)
    async with Database(path) as database:
        async with EnrichmentService(Enrichments(database), clock) as said:
            assert not said
            heard = await said.say("cmp_1", CALLER, {"Plan": "gold", "system_x": "y"})
            assert (heard.ignored, heard.in_progress) == (("system_x",), False)
            clock.advance(DAY)
            await said.say("cmp_1", CALLER, {"score": 7})
        async with EnrichmentService(Enrichments(database), clock) as said:
            known = said.of("cmp_1", CALLER)
            assert known is not None and known.tags == {"plan": "gold", "score": "7"}
            assert said.of("cmp_2", CALLER) is None and said.of("cmp_1", None) is None
            clock.advance(2 * DAY)
            assert said.of("cmp_1", CALLER) is None
            await said.say("cmp_1", "+12125550101", {"a": 1})
            assert said.of("cmp_1", "+12125550101") is not None
        async with EnrichmentService(Enrichments(database), clock) as said:
            assert said.of("cmp_1", CALLER) is None and bool(said)


async def test_what_is_said_of_a_caller_at_the_same_time_is_kept_all(tmp_path: Path) -> None:
    """By a publisher's page and its server, say: neither takes away what the other one said."""
    path, clock = tmp_path / "edge.db", HandClock()
    prepare(path)
    everything = {f"k{n}": f"{n}" for n in range(10)}
    async with Database(path) as database:
        async with EnrichmentService(Enrichments(database), clock) as said:
            await asyncio.gather(*(said.say("cmp_1", CALLER, {k: v}) for k, v in everything.items()))
            known = said.of("cmp_1", CALLER)
            assert known is not None and known.tags == everything
        async with EnrichmentService(Enrichments(database), clock) as said:
            known = said.of("cmp_1", CALLER)
            assert known is not None and known.tags == everything


async def test_what_is_past_the_limit_is_swept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / "edge.db", HandClock()
    prepare(path)
    monkeypatch.setattr(enrichment, "MOST", 2)
    async with Database(path) as database, EnrichmentService(Enrichments(database), clock) as said:
        assert clock.utc() - said.known_since() == timedelta(hours=48)
        for n in range(3):
            clock.advance(DAY / 24)
            await said.say("cmp_1", f"+1212555010{n}", {"n": n})
        assert said.of("cmp_1", CALLER) is None
        assert clock.utc() - said.known_since() == timedelta(hours=1), "the oldest of the two that are known"


async def test_of_one_caller_the_first_hundred_keys_are_kept(tmp_path: Path) -> None:
    path, clock = tmp_path / "edge.db", HandClock()
    prepare(path)
    async with Database(path) as database, EnrichmentService(Enrichments(database), clock) as said:
        for n in range(4):
            heard = await said.say("cmp_1", CALLER, {"plan": str(n), **{f"k{n}_{k}": "x" for k in range(40)}})
        known = said.of("cmp_1", CALLER)
        assert known is not None and len(known.tags) == MOST_DATA == 100
        assert known.tags["plan"] == "3" and "k0_0" in known.tags, "what is known is said anew"
        assert heard.ignored == tuple(f"k3_{k}" for k in range(40))


async def test_of_all_callers_together_so_much_is_kept_and_the_oldest_go_in_the_store_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "edge.db", HandClock()
    prepare(path)
    monkeypatch.setattr(enrichment, "MOST_OCTETS", 10_000)
    async with Database(path) as database:
        records = Enrichments(database)
        async with EnrichmentService(records, clock) as said:
            for n in range(50):
                clock.advance(1)
                await said.say("cmp_1", f"+121255501{n:02}", {"text": "x" * 500, "more": ["y" * 200, "z"]})
            first = said.of("cmp_1", "+12125550100")
            assert first is None and said.of("cmp_1", "+12125550149") is not None
            assert len(await records.since(clock.utc() - timedelta(hours=1))) == len(said) < 8
            for _ in range(50):  # one that says it again and again takes no more
                await said.say("cmp_1", CALLER, {"text": "x" * 500})
            assert len(said) > 5
