"""Who changed what: every kind of edit leaves an entry, without secrets and in pages."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge.store.engine import Database
from edge.store.errors import Down
from tests.admin.client import Client
from tests.admin.conftest import Backstage, Clock
from tests.support.commands import daily, reserve

SECRET = "hush-hush-4711"


async def entries(api: Client, **query: str) -> list[dict[str, Any]]:
    answer = await api.get("audit", params=query)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["items"]
    return found


async def test_an_edit_tells_who_what_before_and_after_without_secrets(
    api: Client, tokens: dict[str, str]
) -> None:
    trunk = await api.new("trunks", name="Carrier", username="u", password=SECRET)
    await api.patch(f"trunks/{trunk['id']}", {"name": "Other"}, token=tokens["operator"])
    await api.delete(f"trunks/{trunk['id']}")
    deleted, changed, created = await entries(api, object_id=trunk["id"])
    assert [entry["action"] for entry in (created, changed, deleted)] == ["create", "change", "delete"]
    assert created["by"] == "environment" and created["before"] is None
    assert created["after"]["password"] == {"set": True}
    assert changed["by"].startswith("tok_")
    assert (changed["before"]["name"], changed["after"]["name"]) == ("Carrier", "Other")
    assert deleted["after"] is None
    assert [e["version"] for e in (created, changed, deleted)] == sorted(
        {created["version"], changed["version"], deleted["version"]}
    )
    assert SECRET not in json.dumps([created, changed, deleted])


async def test_an_edit_that_changes_nothing_or_is_refused_leaves_no_entry(api: Client) -> None:
    campaign = await api.new("campaigns", name="Spring")
    await api.patch(f"campaigns/{campaign['id']}", {"name": "Spring"})
    await api.patch(f"campaigns/{campaign['id']}", {"name": "Late"}, headers={"If-Match": '"9"'})
    assert len(await entries(api, object_id=campaign["id"])) == 1


async def test_an_entry_is_written_with_its_edit_or_neither(api: Client, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "edge.db") as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
    assert (await api.post("campaigns", {"name": "Spring"})).status != 201
    assert (await api.get("campaigns")).json["items"] == []


async def test_releases_tokens_resets_bans_and_hang_ups_are_told(
    api: Client, backstage: Backstage, clock: Clock
) -> None:
    campaign = await api.new("campaigns", name="Spring")
    number = await api.new(
        "numbers", e164="+18005550100", campaign_id=campaign["id"],
        timezone="UTC", caps=[{"window": "day", "limit": 5}],
    )  # fmt: skip
    await api.post(f"numbers/{number['id']}/settings/prompts/unlock")
    await api.post(f"numbers/{number['id']}/release", {})
    await api.post(f"numbers/{number['id']}/restore", {})
    token = await api.new("tokens", role="operator", name="Shift")
    await api.delete(f"tokens/{token['id']}")
    backstage.guard.offend("203.0.113.9", "scanner")
    await api.delete("sip/bans?source=203.0.113.9")
    backstage.switch.calls.append({"id": "call_1", "called": "+18005550100"})
    await api.post("calls/call_1/hangup")
    told = {(e["kind"], e["action"]) for e in await entries(api)}
    assert told >= {
        ("number", "release"), ("number", "restore"), ("number", "unlock"), ("token", "create"),
        ("token", "delete"), ("ban", "lift"), ("call", "hangup"),
    }  # fmt: skip
    assert token["token"] not in json.dumps(await entries(api))


async def test_a_reset_of_a_cap_is_told(api: Client, backstage: Backstage) -> None:
    target = await api.new(
        "targets", name="B", address="sip:b@192.0.2.1", timezone="UTC", caps=[{"window": "day", "limit": 5}]
    )
    cap_id = target["caps"][0]["id"]
    await backstage.writer.submit(reserve("call_9", 1, daily(cap_id, 5, "attempt", "2026-11-20")))
    await api.post(f"caps/{cap_id}/reset")
    (reset,) = await entries(api, object_id=cap_id)
    assert (reset["action"], reset["before"]["used"], reset["after"]["used"]) == ("reset", 1, 0)


async def test_pages_and_filters(api: Client, clock: Clock) -> None:
    for n in range(5):
        await api.new("campaigns", name=f"Campaign {n}")
    first = await api.get("audit?limit=2")
    assert len(first.json["items"]) == 2 and 'rel="next"' in first.headers["Link"]
    assert len(await entries(api, kind="campaign", action="create")) == 5
    assert await entries(api, by="tok_nobody") == []
    assert await entries(api, until="2026-11-20T12:00:00Z") == []
    assert len(await entries(api, since="2026-11-20T12:00:00Z")) == 5


@pytest.mark.parametrize("role", ["operator", "report_only"])
async def test_the_audit_is_for_admins(api: Client, tokens: dict[str, str], role: str) -> None:
    assert (await api.get("audit", token=tokens[role])).status == 403


async def test_a_store_that_is_down_keeps_no_call_up(
    api: Client, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_self: Database) -> None:
        raise Down("disk full")

    backstage.switch.calls.append({"id": "call_1", "called": "+18005550100"})
    monkeypatch.setattr(Database, "editing", down)
    assert (await api.post("calls/call_1/hangup")).status == 202
    assert backstage.switch.hung_up == ["call_1"]
