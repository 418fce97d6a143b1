"""Calls, refused sources, readiness, caps and hours as the API asks for them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.calls.ports import RefusedCall
from edge.clock import SystemClock
from edge.model.config import CampaignSpec, NumberSpec, TargetSpec
from edge.model.ledger import CapCount
from edge.services.audit import AuditService
from edge.services.calls import CallService
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, NotFound
from edge.services.insight import CapUse, InsightService
from edge.services.listing import ListQuery
from edge.services.readiness import Check, Readiness
from edge.services.refused import LOGIN_S, MAX_SOURCES, RefusedService
from edge.services.traces import TraceFiles
from edge.store.audit import AuditTrail
from edge.store.calls import CallRecords
from edge.store.counts import Counts
from edge.store.engine import Database
from edge.store.refused import RefusedSources
from edge.store.writer import Writer
from tests.support.commands import finish

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Clock(SystemClock):
    now = NOON
    since_start = 0.0

    def utc(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.since_start


class Switchboard:
    """One live call, and a drain."""

    draining = False

    def __init__(self) -> None:
        self.hung_up: list[str] = []

    def live(self) -> Sequence[str]:
        return [] if self.hung_up else ["call_2"]

    def look(self, call_id: str) -> Mapping[str, Any] | None:
        return {"id": call_id, "phase": "ringing"} if call_id in self.live() else None

    def hang_up(self, call_id: str, by: str = "admin") -> bool:
        if call_id not in self.live():
            return False
        self.hung_up.append(call_id)
        return True

    def drain(self, max_s: float | None = None) -> int:
        self.draining = True
        return 1


async def test_calls_live_and_over(database: Database, tmp_path: Path) -> None:
    async with Writer(tmp_path / "edge.db", SystemClock()) as writer:
        await writer.submit(finish("call_1", trace=[{"message": "INVITE"}]))
    audit = AuditService(AuditTrail(database), SystemClock())
    service = CallService(
        CallRecords(database), Switchboard(), tmp_path, audit, traces=TraceFiles(tmp_path, 0)
    )
    assert [call["id"] for call in (await service.list(ListQuery())).items] == ["call_1"]
    assert (await service.get("call_1"))["disposition"] == "connected"
    assert (await service.get("call_2"))["phase"] == "ringing"
    assert await service.trace("call_1") == [{"message": "INVITE"}]
    with pytest.raises(Conflict, match="when it is over"):
        await service.trace("call_2")
    await service.hangup("call_2")
    for call_id, error in (("call_1", Conflict), ("call_2", NotFound), ("call_3", NotFound)):
        with pytest.raises(error):
            await service.hangup(call_id)


def refusal(
    source: str,
    called: str = "+1",
    reason: str = "no trunk has this address",
    remedy: str = "add it to a trunk",
) -> RefusedCall:
    return RefusedCall(source, "INVITE", called, 403, reason, remedy)


async def test_refused_sources_are_counted_bounded_and_kept(database: Database) -> None:
    clock = Clock()
    async with RefusedService(RefusedSources(database), clock) as service:
        for n in range(MAX_SOURCES + 5):
            service.note(refusal(f"192.0.2.1:{n}"))
        clock.now = NOON + timedelta(seconds=5)
        service.note(refusal("192.0.2.1:700"))
        clock.now = NOON + timedelta(seconds=6)
        service.note(refusal("\udcff" * 500, called="x" * 500, remedy="\udcff"))
        assert service.total == MAX_SOURCES + 7
    async with RefusedService(RefusedSources(database), clock) as service:
        newest, second = service.recent(2)
        assert len(newest.source) == 200
        assert (second.source, second.count, second.remedy) == ("192.0.2.1:700", 2, "add it to a trunk")
        assert (second.first_seen, second.last_seen) == (NOON, NOON + timedelta(seconds=5))
        assert len(service.recent(10_000)) == MAX_SOURCES


async def test_who_was_asked_to_log_in_is_refused_unless_it_does(database: Database) -> None:
    clock = Clock()
    async with RefusedService(RefusedSources(database), clock) as service:
        service.asked(refusal("192.0.2.1"))
        service.asked(refusal("192.0.2.2"))
        clock.since_start = LOGIN_S / 2
        service.asked(refusal("192.0.2.1"))  # no longer for it
        service.answered("192.0.2.2")
        assert not service.recent(10)
        clock.since_start = LOGIN_S
        assert [row.source for row in service.recent(10)] == ["192.0.2.1"]
        service.answered("192.0.2.1")
        assert service.total == 1


async def test_of_too_many_that_were_asked_the_oldest_waits_no_more(database: Database) -> None:
    async with RefusedService(RefusedSources(database), Clock()) as service:
        for n in range(MAX_SOURCES + 5):
            service.asked(refusal(f"192.0.2.1:{n}"))
        assert {row.source for row in service.recent(10)} == {f"192.0.2.1:{n}" for n in range(5)}


async def test_a_flood_of_strangers_pushes_out_nobody_else(database: Database) -> None:
    clock = Clock()
    async with RefusedService(RefusedSources(database), clock) as service:
        carrier = refusal("192.0.2.1", reason="the trunk is paused")
        service.note(carrier)
        for n in range(2 * MAX_SOURCES):
            service.note(refusal(f"198.51.100.1:{n}"))
        found = [row.source for row in service.recent(10_000) if row.reason == carrier.reason]
        assert found == ["192.0.2.1"] and len(service.recent(10_000)) == MAX_SOURCES
        for n in range(2 * MAX_SOURCES):
            service.note(refusal("192.0.2.2", reason=f"reason {n}"))
        assert len(service.recent(10_000)) == MAX_SOURCES


async def test_readiness_tells_what_is_wrong() -> None:
    switch = Switchboard()
    health = Readiness({"store": lambda: "disk full", "media": lambda: ""}, switch)
    assert list(await health.checks()) == [
        Check("store", False, "disk full"),
        Check("media", True),
        Check("draining", True),
    ]
    assert health.drain(5) == 1
    assert not (await health.checks())[-1].ok


async def test_caps_show_what_is_used_and_reserved_today_in_the_owner_s_zone(
    service: ConfigurationService,
) -> None:
    clock, counts = Clock(), Counts()
    clock.now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    caps = [{"window": "day", "limit": 5}, {"window": "concurrency", "limit": None}]
    fields = {"name": "T", "address": "sip:a@b", "caps": caps, "max_calls": 7, "timezone": "America/New_York"}
    target = await service.create("target", TargetSpec.model_validate(fields))
    day, free = (cap.id or "" for cap in target.caps)  # type: ignore[attr-defined]
    counts.update([CapCount(day, "2026-11-22", 2, 1), CapCount(day, "2026-11-23", 4, 0)])
    insight = InsightService(service, counts, clock)
    owner, most = target.id, f"max_calls:{target.id}"
    assert list(await insight.caps(owner)) == [
        CapUse(day, owner, "day", "2026-11-22", 5, "connect", 2, 1),
        CapUse(free, owner, "concurrency", "", None, "concurrency", 0, 0),
        CapUse(most, owner, "concurrency", "", 7, "concurrency", 0, 0),
    ]
    with pytest.raises(NotFound):
        await insight.caps("tgt_9")


async def test_hours_of_a_number_are_its_campaign_s(service: ConfigurationService) -> None:
    hours = {"timezone": "America/New_York", "weekly": {"mon": [["09:00", "17:00"]]}}
    campaign = await service.create("campaign", CampaignSpec.model_validate({"name": "C", "hours": hours}))
    spec = NumberSpec(e164="+18005550100", campaign_id=campaign.id)
    number = await service.create("number", spec)
    insight = InsightService(service, Counts(), Clock())
    closed = await insight.hours(number.id, None)
    assert (closed.open, closed.timezone) == (False, "America/New_York")
    assert closed.next_change == datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    assert (await insight.hours(number.id, datetime(2026, 11, 23, 15, 0, tzinfo=UTC))).open
    await service.patch("number", number.id, {"active_until": "2026-11-23T16:00:00Z"}, None)
    ending = await insight.hours(number.id, datetime(2026, 11, 23, 15, 0, tzinfo=UTC))
    assert (ending.open, ending.next_change) == (True, datetime(2026, 11, 23, 16, 0, tzinfo=UTC))
    ended = await insight.hours(number.id, datetime(2026, 11, 23, 16, 0, tzinfo=UTC))
    assert (ended.open, ended.next_change) == (False, None)
    assert ended.reason == "the number was active until 2026-11-23T16:00:00Z"
    await service.patch("campaign", campaign.id, {"hours": None, "active_from": "2027-01-01T00:00:00Z"}, None)
    early = await insight.hours(campaign.id, None)
    assert (early.open, early.next_change) == (False, datetime(2027, 1, 1, tzinfo=UTC))
    target = await service.create("target", TargetSpec(name="T", address="sip:a@b"))
    always = await insight.hours(target.id, None)
    assert (always.open, always.next_change) == (True, None)
