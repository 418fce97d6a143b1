"""Objects made, read, listed, changed and deleted as the public contract says."""

from typing import Any

import pytest

from tests.admin.client import Client

OBJECTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("trunks", {"name": "carrier", "addresses": ["192.0.2.0/24"]}, {"max_calls": 5}),
    ("campaigns", {"name": "spring"}, {"routes": {"max_attempts": 2}}),
    ("targets", {"name": "buyer", "address": "sip:a@192.0.2.9"}, {"ring_timeout_s": 12}),
    ("buyers", {"name": "Acme", "timezone": "UTC"}, {"state": "paused"}),
    ("target-groups", {"name": "night shift"}, {"timezone": "UTC"}),
    ("numbers", {"e164": "+13125550100", "tags": {"Channel": "tv"}}, {"tags": {"channel": "radio"}}),
]


@pytest.mark.parametrize(("path", "made", "change"), OBJECTS)
async def test_the_life_of_an_object(
    api: Client, path: str, made: dict[str, Any], change: dict[str, Any]
) -> None:
    created = await api.post(path, made)
    assert created.status == 201
    where = created.headers["Location"]
    assert where == f"/api/v1/{path}/{created.json['id']}"
    read = await api.get(where)
    assert (read.status, read.json) == (200, created.json)
    assert read.headers["ETag"] == created.headers["ETag"] == '"1"'
    changed = await api.patch(where, change)
    assert (changed.status, changed.json["version"]) == (200, 2)
    for field, value in change.items():
        assert changed.json[field] == ({**created.json[field], **value} if isinstance(value, dict) else value)
    assert (await api.get(path)).json["items"] == [changed.json]
    assert (await api.delete(where)).status == 204
    if path == "numbers":
        assert (await api.get(where)).json["state"] == "cooling"
        return
    assert (await api.get(where)).status == 404
    assert (await api.get(path)).json == {"items": []}


async def test_secrets_are_never_read_back(api: Client) -> None:
    trunk = {"name": "t", "addresses": ["192.0.2.1"], "username": "u", "password": "open-sesame"}
    made = await api.post("trunks", trunk)
    where = made.headers["Location"]
    answers = [made, await api.get(where), await api.get("trunks"), await api.patch(where, {"max_calls": 1})]
    assert not any(b"sesame" in answer.body for answer in answers)
    assert (await api.get(where)).json["password"] == {"set": True}
    unchanged = await api.patch(where, {"password": {"set": True}, "name": "renamed"})
    assert (unchanged.status, unchanged.json["password"]) == (200, {"set": True})
    gone = await api.patch(where, {"password": None, "username": None})
    assert (gone.status, gone.json["password"]) == (200, None)


async def test_a_stale_edit_is_refused(api: Client) -> None:
    made = await api.new("campaigns", name="c")
    where = f"campaigns/{made['id']}"
    first = await api.patch(where, {"name": "d"}, headers={"If-Match": '"1"'})
    assert (first.status, first.headers["ETag"]) == (200, '"2"')
    for stale in ('"1"', '"99"', '"other"'):
        assert (await api.patch(where, {"name": "e"}, headers={"If-Match": stale})).status == 412
        assert (await api.delete(where, headers={"If-Match": stale})).status == 412
    assert (await api.patch(where, {"name": "e"}, headers={"If-Match": "nonsense"})).status == 400
    assert (await api.get(where)).json["name"] == "d"
    assert (await api.patch(where, {"name": "f"}, headers={"If-Match": "*"})).status == 200
    assert (await api.delete(where, headers={"If-Match": '"3"'})).status == 204


async def test_a_patch_is_a_merge_patch(api: Client) -> None:
    hours = {"timezone": "Europe/Berlin", "weekly": {"mon": [["09:00", "17:00"]]}}
    made = await api.new("campaigns", name="c", hours=hours)
    where = f"campaigns/{made['id']}"
    weekly = {"weekly": {"tue": [["10:00", "11:00"]]}}
    headers = {"Content-Type": "application/merge-patch+json"}
    changed = (await api.patch(where, {"hours": weekly}, headers=headers)).json
    assert changed["hours"]["weekly"] == {"mon": [["09:00", "17:00"]], "tue": [["10:00", "11:00"]]}
    assert changed["hours"]["timezone"] == "Europe/Berlin"
    assert (await api.patch(where, {"hours": None})).json["hours"] is None
    assert (await api.patch(where, {"colour": 1})).errors == {"colour": "there is no such field to write"}
    assert (await api.patch(where, {"id": "cmp_2"})).status == 422
    assert (await api.patch(where, [])).status == 422
    assert (await api.patch(where, {"name": None})).status == 422


async def test_pages_show_every_object_once(api: Client) -> None:
    names = [f"target {n}" for n in range(7)]
    for name in names:
        await api.new("targets", name=name, address="sip:a@192.0.2.1")
    seen: list[str] = []
    path = "targets?limit=3"
    while path:
        page = await api.get(path)
        assert len(page.json["items"]) <= 3
        seen += [item["name"] for item in page.json["items"]]
        link = page.headers.get("Link", "")
        assert not link or link.endswith('rel="next"')
        path = link.partition("<")[2].partition(">")[0]
    assert sorted(seen) == names


async def test_lists_are_filtered_by_field(api: Client) -> None:
    campaign = await api.new("campaigns", name="c")
    await api.new("numbers", e164="+13125550101", campaign_id=campaign["id"])
    await api.new("numbers", e164="+13125550102")
    found = await api.get(f"numbers?campaign_id={campaign['id']}")
    assert [item["e164"] for item in found.json["items"]] == ["+13125550101"]
    unescaped = await api.get("numbers?e164=+13125550102")
    assert [item["e164"] for item in unescaped.json["items"]] == ["+13125550102"]
    assert (await api.get("numbers?e164=%2B19995550100")).json == {"items": []}


async def test_a_repeated_post_makes_one_object(api: Client) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await api.post("campaigns", {"name": "c"}, headers=key)
    again = await api.post("campaigns", {"name": "c"}, headers=key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Location"] == first.headers["Location"]
    assert (await api.post("campaigns", {"name": "other"}, headers=key)).status == 422
    assert len((await api.get("campaigns")).json["items"]) == 1
    other = await api.post("campaigns", {"name": "c"}, headers={"Idempotency-Key": "k2"})
    assert other.json["id"] != first.json["id"]
    assert (await api.post("campaigns", {"name": "c"}, headers={"Idempotency-Key": "x" * 300})).status == 400


async def test_a_refused_post_may_be_repeated(api: Client) -> None:
    key = {"Idempotency-Key": "k1"}
    trunk = {"name": "t", "default_number_id": "num_none"}
    assert (await api.post("trunks", trunk, headers=key)).status == 422
    assert (await api.post("trunks", {"name": "t", "addresses": ["192.0.2.1"]}, headers=key)).status == 201
