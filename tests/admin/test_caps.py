"""Caps over the API: their use, their ledger, and the reset by hand."""

import pytest

from tests.admin.client import Client
from tests.admin.conftest import Backstage
from tests.support.commands import DAY, connect, daily, reserve

TODAY = "2026-11-20"


async def owner(api: Client, path: str, **caps: object) -> tuple[str, str]:
    """A new owner with one cap: its id and the cap's."""
    fields = {"name": "one", "timezone": "UTC", "caps": [{"window": "day", "limit": 2, **caps}]}
    if path == "targets":
        fields["address"] = "sip:a@192.0.2.9"
    made = await api.new(path, **fields)
    return made["id"], made["caps"][0]["id"]


@pytest.mark.parametrize("path", ["targets", "buyers", "target-groups", "campaigns"])
async def test_every_owner_has_a_ledger_and_a_reset(api: Client, backstage: Backstage, path: str) -> None:
    owner_id, cap_id = await owner(api, path)
    writer = backstage.writer
    claim = daily(cap_id, 2, window=TODAY)
    for call in ("call_a", "call_b"):
        await writer.submit(reserve(call, 1, claim))
    await writer.submit(connect("call_a"))
    [cap] = (await api.get(f"caps?owner={owner_id}")).json["items"]
    assert (cap["key"], cap["used"], cap["reserved"], cap["headroom"]) == (TODAY, 1, 1, 0)
    ledger = (await api.get(f"caps/{cap_id}/ledger")).json["items"]
    assert {line["call_id"]: line["state"] for line in ledger} == {"call_a": "used", "call_b": "reserved"}
    for _ in range(2):
        answer = await api.post(f"caps/{cap_id}/reset", {})
        assert (answer.status, answer.json["used"], answer.json["reserved"]) == (200, 0, 1)
    lines = (await api.get(f"caps/{cap_id}/ledger")).json["items"]
    assert {line["state"]: line["by"] for line in lines} == {
        "reset": "environment",
        "cleared": None,
        "reserved": None,
    }


async def test_the_ledger_comes_in_pages(api: Client, backstage: Backstage) -> None:
    _, cap_id = await owner(api, "buyers", limit=9)
    for number in range(3):
        await backstage.writer.submit(reserve(f"call_{number}", 1, daily(cap_id, 9, window=DAY)))
    first = await api.get(f"caps/{cap_id}/ledger?limit=2")
    rest = await api.get(first.headers["Link"].split(">")[0].strip("<"))
    seen = [line["call_id"] for line in first.json["items"] + rest.json["items"]]
    assert sorted(seen) == ["call_0", "call_1", "call_2"]


async def test_a_cap_that_is_gone_or_counts_calls_at_once_is_not_reset(api: Client) -> None:
    owner_id, cap_id = await owner(api, "buyers")
    assert (await api.post("caps/cap_none/reset", {})).status == 404
    assert (await api.get("caps/cap_none/ledger")).status == 404
    await api.patch(f"buyers/{owner_id}", {"caps": []})
    assert (await api.post(f"caps/{cap_id}/reset", {})).status == 404
    target = await api.new("targets", name="t", address="sip:a@192.0.2.9", max_calls=3)
    assert (await api.post(f"caps/max_calls:{target['id']}/reset", {})).status == 409


async def test_a_cap_keeps_its_identity_over_edits_by_its_window_and_block(api: Client) -> None:
    block = {"window": "block", "from": "09:00", "to": "10:00", "limit": 1}
    made = await api.new("buyers", name="b", timezone="UTC", caps=[block, {"window": "day", "limit": 1}])
    first, second = (cap["id"] for cap in made["caps"])
    assert (made["caps"][0]["from"], made["caps"][0]["strict"]) == ("09:00", True)
    edited = [{"window": "day", "limit": 7}, {**block, "limit": 5}, {**block, "from": "09:30", "limit": 5}]
    changed = await api.patch(f"buyers/{made['id']}", {"caps": edited})
    ids = [cap["id"] for cap in changed.json["caps"]]
    assert ids[:2] == [second, first]
    assert ids[2] not in (first, second)


async def test_a_calendar_cap_without_a_zone_is_refused(api: Client) -> None:
    for path in ("buyers", "target-groups", "campaigns"):
        caps = [{"window": "month", "limit": 1}]
        answer = await api.post(path, {"name": "x", "caps": caps})
        assert (answer.status, answer.json["errors"][0]["path"]) == (422, "timezone")
