"""Calls found, read, traced and ended; the server's own state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.calls.ports import RefusedCall
from edge.model.decision import CapClaim
from edge.model.ledger import Finish, OpenCall, Reserve
from tests.admin.client import Client
from tests.admin.conftest import Backstage, Clock

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
PEER = "udp:192.0.2.1:5060"
LADDER = [
    {
        "at_s": 0.0,
        "direction": "in",
        "peer": "udp:192.0.2.1:5060",
        "message": "INVITE sip:+13125550100@edge SIP/2.0",
    },
    {"at_s": 0.0012, "direction": "out", "peer": "udp:192.0.2.1:5060", "message": "SIP/2.0 100 Trying"},
]


async def placed(backstage: Backstage, number: int, **fields: Any) -> str:
    """A finished call, as the call path leaves it; ``number`` is the minute it came."""
    call_id, at = f"call_{number:04}", START + timedelta(minutes=number)
    record = {
        **{"id": call_id, "trunk_id": "trk_1", "number_id": "num_1", "campaign_id": "cmp_1"},
        **{"caller": "+13125550142", "called": "+13125550100", "tags": {}, "disposition": "connected"},
        "started_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ended_at": (at + timedelta(seconds=30)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "decision": {"steps": [{"step": "number", "result": "found", "reason": ""}], "candidates": []},
        **{"attempts": [], "media": {}, "trace": LADDER},
        **fields,
    }
    opened = OpenCall(call_id, at, "trk_1", record["caller"], record["called"], "num_1", "cmp_1")
    backstage.writer.post(opened)
    await backstage.writer.submit(Finish(call_id, at, record["disposition"], record))
    return call_id


async def ids(api: Client, path: str) -> list[str]:
    answer = await api.get(path)
    assert answer.status == 200, answer.body
    return [call["id"] for call in answer.json["items"]]


async def test_calls_are_found_newest_first(api: Client, backstage: Backstage) -> None:
    made = [await placed(backstage, number) for number in range(5)]
    assert await ids(api, "calls") == made[::-1]
    assert await ids(api, "calls?sort=started_at") == made
    first = await api.get("calls?limit=2")
    assert [call["id"] for call in first.json["items"]] == ["call_0004", "call_0003"]
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    assert await ids(api, following) == ["call_0002", "call_0001"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("caller=%2B13125550142", ["call_0002", "call_0000"]),
        ("caller=+13125550142", ["call_0002", "call_0000"]),
        ("caller=%2B19995550100", []),
        ("number=%2B13125550101", ["call_0001"]),
        ("disposition=busy", ["call_0002"]),
        ("campaign_id=cmp_1&disposition=connected", ["call_0001", "call_0000"]),
        ("since=2026-11-20T09:01:00Z", ["call_0002", "call_0001"]),
        ("since=2026-11-20T10:01:00%2B01:00", ["call_0002", "call_0001"]),
        ("since=2026-11-20T10:01:00+01:00", ["call_0002", "call_0001"]),
        ("until=2026-11-20T09:01:00Z", ["call_0000"]),
    ],
)
async def test_calls_are_filtered(api: Client, backstage: Backstage, query: str, found: list[str]) -> None:
    await placed(backstage, 0)
    await placed(backstage, 1, called="+13125550101", caller="+14155550100")
    await placed(backstage, 2, disposition="busy")
    assert await ids(api, f"calls?{query}") == found


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=12", "since=2026-11-20T09:00:00", "disposition=odd"]
)
async def test_a_filter_that_makes_no_sense_is_refused(api: Client, query: str) -> None:
    assert (await api.get(f"calls?{query}")).status == 422


async def test_a_call_tells_its_decision_and_its_ladder(api: Client, backstage: Backstage) -> None:
    call_id = await placed(backstage, 1)
    record = (await api.get(f"calls/{call_id}")).json
    assert record["decision"]["steps"][0]["result"] == "found"
    assert "trace" not in record
    assert (await api.get(f"calls/{call_id}/trace")).json == {"items": LADDER}
    text = await api.get(f"calls/{call_id}/trace", headers={"Accept": "text/plain"})
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = text.body.decode().splitlines()
    assert len(lines) == 2
    assert "INVITE sip:+13125550100@edge" in lines[0]
    assert "192.0.2.1" in lines[1]


async def test_live_calls_are_listed_and_ended(api: Client, backstage: Backstage) -> None:
    backstage.switch.calls.append({"id": "call_live", "caller": None, "called": "+13125550100"})
    assert await ids(api, "calls/live") == ["call_live"]
    assert (await api.get("calls/call_live")).json["called"] == "+13125550100"
    ended = await api.post("calls/call_live/hangup")
    assert (ended.status, ended.json) == (202, {"id": "call_live", "state": "ending"})
    assert backstage.switch.hung_up == ["call_live"]
    over = await placed(backstage, 1)
    assert (await api.post(f"calls/{over}/hangup")).status == 409


async def test_bytes_of_no_alphabet_in_a_record_are_shown(api: Client, backstage: Backstage) -> None:
    call_id = await placed(backstage, 1, disposition_detail="\udcff<b>")
    assert (await api.get(f"calls/{call_id}")).status == 200
    assert await ids(api, "calls") == [call_id]


async def test_caps_tell_what_is_used_and_reserved(api: Client, backstage: Backstage) -> None:
    caps = [{"window": "day", "limit": 3}, {"window": "concurrency", "limit": None}]
    target = await api.new("targets", name="b", address="sip:a@192.0.2.1", caps=caps)
    cap = target["caps"][0]["id"]
    claim = CapClaim(cap, target["id"], "2026-11-20", 3, "connect")
    assert await backstage.writer.submit(Reserve("call_1", 1, (claim,), START)) is None
    day, concurrency = (await api.get(f"caps?owner={target['id']}")).json["items"]
    assert (day["id"], day["key"], day["used"], day["reserved"], day["headroom"]) == (
        cap,
        "2026-11-20",
        0,
        1,
        2,
    )
    assert (concurrency["limit"], concurrency["headroom"]) == (None, None)
    assert (await api.get("caps?owner=tgt_none")).status == 404
    assert list((await api.get("caps")).errors) == ["owner"]


async def test_hours_are_previewed_at_any_instant(api: Client) -> None:
    hours = {"timezone": "Europe/Berlin", "weekly": {"mon": [["09:00", "17:00"]]}}
    made = await api.new("campaigns", name="c", hours=hours)
    path = f"hours/preview?owner={made['id']}"
    closed = (await api.get(f"{path}&at=2026-11-23T07:59:59Z")).json
    assert (closed["open"], closed["timezone"]) == (False, "Europe/Berlin")
    assert datetime.fromisoformat(closed["next_change"]) == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert (await api.get(f"{path}&at=2026-11-23T09:00:00%2B01:00")).json["open"] is True
    assert (await api.get(path)).json["open"] is False
    assert (await api.get("hours/preview?owner=cmp_none")).status == 404
    assert list((await api.get(f"{path}&at=noon")).errors) == ["at"]


async def test_refused_sources_say_what_would_help(api: Client, backstage: Backstage, clock: Clock) -> None:
    for called in ("+13125550100", "+13125550100", "+13125550101"):
        clock.date += timedelta(seconds=1)
        refused = RefusedCall("192.0.2.66", "INVITE", called, 403, "unknown source", "add a trunk")
        backstage.refused.note(refused)
    items = (await api.get("sip/refused")).json["items"]
    assert [(item["called"], item["count"]) for item in items] == [("+13125550101", 1), ("+13125550100", 2)]
    assert items[0]["remedy"] == "add a trunk"
    assert len((await api.get("sip/refused?limit=1")).json["items"]) == 1


async def test_draining_makes_the_server_unready(api: Client, backstage: Backstage) -> None:
    assert (await api.get("/readyz")).status == 200
    drained = await api.post("drain", {"max_s": 5})
    assert (drained.status, drained.json) == (202, {"state": "draining", "live": 0})
    assert backstage.switch.drained_s == 5
    unready = await api.get("/readyz")
    assert unready.status == 503
    assert "draining" in str(unready.json["checks"])
    assert (await api.get("/healthz")).status == 200


async def test_a_store_that_fails_makes_the_server_unready(api: Client, backstage: Backstage) -> None:
    backstage.failing["store"] = "disk full"
    unready = await api.get("/readyz")
    assert (unready.status, unready.json["checks"][0]) == (
        503,
        {"name": "store", "ok": False, "detail": "disk full"},
    )


async def test_metrics_are_a_prometheus_page(api: Client) -> None:
    page = await api.get("/metrics")
    assert page.headers["Content-Type"].startswith("text/plain")
    lines = page.body.decode().splitlines()
    assert "edge_calls_live 3.0" in lines
    assert 'edge_calls_ended_total{disposition="connected"} 2.0' in lines
    assert "# TYPE edge_calls_ended_total counter" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert len(lines) < 100
