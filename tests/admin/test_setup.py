"""The set-up over the API: read, compared, put, its versions, and who may."""

import json
from typing import Any

import pytest

from tests.admin.client import Answer, Client
from tests.admin.pooled import pooled


async def put(api: Client, document: Any, query: str = "", **more: Any) -> Answer:
    return await api.ask("PUT", f"setup{query}", json=document, **more)


async def test_a_round_over_the_api(api: Client) -> None:
    made = await api.new("campaigns", name="Spring")
    exported = await api.get("setup")
    document = exported.json
    assert exported.headers["ETag"] == f'"{document["base"]}"'
    document["campaigns"][0]["name"] = "Summer"
    told = await api.post("setup/diff", document)
    assert told.json["changes"] == [
        {
            "action": "change",
            "kind": "campaign",
            "id": made["id"],
            "name": "Summer",
            "fields": [{"path": "name", "before": "Spring", "after": "Summer"}],
        }
    ]
    assert (await put(api, document, "?dry_run=true")).json == told.json
    assert (await api.get(f"campaigns/{made['id']}")).json["name"] == "Spring"
    done = (await put(api, document)).json
    assert done == {**told.json, "applied": True, "version": done["version"], "base": done["base"]}
    assert (await api.get(f"campaigns/{made['id']}")).json["name"] == "Summer"
    stale = await put(api, {**document, "base": told.json["base"]})
    assert stale.status == 412 and "export again" in stale.json["detail"]
    (latest, first) = (await api.get("setup/versions")).json["items"]
    assert (latest["version"], latest["changes"], latest["by"]) == (done["version"], 1, "environment")
    back = await api.post(f"setup/versions/{first['version']}/restore")
    assert back.status == 200 and back.json["applied"]
    assert (await api.get(f"campaigns/{made['id']}")).json["name"] == "Spring"


async def test_a_refused_document_names_each_path_and_changes_nothing(api: Client) -> None:
    answer = await put(api, {"campaigns": [{"id": "cmp_a", "name": "A", "colour": 1}], "targets": [{}]})
    assert answer.status == 422
    assert set(answer.errors) == {"campaigns[0].colour", "targets[0].id"}
    assert (await api.get("campaigns")).json["items"] == []


@pytest.mark.parametrize("moved", [{}, {"campaign_id": "theirs"}, {"pool_id": "pool_2"}])
async def test_no_document_takes_a_number_from_its_visitor(api: Client, moved: dict[str, str]) -> None:
    """To stock, to a campaign or to another pool: a call to the number stays the visitor's."""
    world = await pooled(api, size=1)
    shown, number = await world.shown(), world.numbers[0]
    document = (await api.get("setup")).json
    document["pools"].append({"id": "pool_2", "name": "Others"})
    if "campaign_id" in moved:
        moved = {"campaign_id": world.campaign["id"]}
    (written,) = (each for each in document["numbers"] if each["id"] == number["id"])
    index = document["numbers"].index(written)
    document["numbers"][index] = {"id": number["id"], "e164": number["e164"], **moved}
    refused = (await put(api, document, "?prune=true")).errors[f"numbers[{index}].pool_id"]
    assert f"DELETE pools/{world.pool['id']}/numbers/" in refused
    asked = {"number": number["e164"], "caller": "+12125550100", "impression_id": shown["impression_id"]}
    assert (await api.post("simulate", asked)).json["decision"]["steps"][1]["step"] == "link"
    assert (await api.delete(f"pools/{world.pool['id']}/numbers/{number['id']}")).status == 204
    document["base"] = None
    assert (await put(api, document)).status == 200


async def test_a_pool_stays_of_the_kind_of_its_numbers(api: Client) -> None:
    await pooled(api)
    document = (await api.get("setup")).json
    for wrong in ({"kind": "local"}, {"country": "CA"}):
        pools = [{**document["pools"][0], **wrong}]
        refused = await api.ask("PUT", "setup", json={**document, "pools": pools})
        assert (refused.status, list(refused.errors)) == (422, [f"pools[0].{next(iter(wrong))}"])


async def test_a_number_s_own_routes_are_not_empty_in_a_document_either(api: Client) -> None:
    campaign = await api.new("campaigns", name="C")
    await api.new("numbers", e164="+18005550100", campaign_id=campaign["id"])
    document = (await api.get("setup")).json
    document["numbers"][0]["settings"] = {"routes": {"value": {"targets": []}}}
    refused = await api.ask("PUT", "setup", json=document)
    assert (refused.status, list(refused.errors)) == (422, ["numbers[0].settings.routes.value.targets"])


async def test_no_restore_takes_a_number_from_its_visitor(api: Client) -> None:
    number = await api.new("numbers", e164="+18005550200")
    before = (await api.get("setup/versions")).json["items"][0]["version"]
    world = await pooled(api, size=0)
    await api.post(f"pools/{world.pool['id']}/numbers", {"ids": [number["id"]]})
    shown, path = await world.shown(), f"setup/versions/{before}/restore"
    assert shown["e164"] == number["e164"]
    assert "so that visitors keep it" in (await api.post(path)).errors["numbers[0].pool_id"]
    assert (await api.get(f"numbers/{number['id']}")).json["pool_id"] == world.pool["id"]
    assert (await api.delete(f"pools/{world.pool['id']}/numbers/{number['id']}")).status == 204
    back = (await api.get(f"numbers/{number['id']}")).json
    assert back["withdrawn"]["until"] == "2026-11-20T18:00:00Z"


async def test_each_object_of_a_document_is_in_the_audit(api: Client) -> None:
    await put(api, {"campaigns": [{"id": f"cmp_{n}", "name": "C"} for n in range(3)]})
    items = (await api.get("audit?kind=campaign")).json["items"]
    assert {item["object_id"] for item in items} == {"cmp_0", "cmp_1", "cmp_2"}
    assert len({item["version"] for item in items}) == 1


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 200),
        (b" " * (65 << 20), "application/json", 413),
    ],
)
async def test_what_is_no_document(api: Client, raw: bytes, kind: str, status: int) -> None:
    answer = await api.ask("PUT", "setup", data=raw, headers={"Content-Type": kind})
    assert answer.status == status


@pytest.mark.parametrize("n", ["0", "99", "x", "-1", "9" * 30])
async def test_a_version_that_is_none(api: Client, n: str) -> None:
    assert (await api.post(f"setup/versions/{n}/restore")).status in (404, 422)


async def test_the_set_up_is_for_operators(api: Client, tokens: dict[str, str]) -> None:
    for method, path in (
        ("GET", "setup"),
        ("PUT", "setup"),
        ("POST", "setup/diff"),
        ("GET", "setup/versions"),
    ):
        answer = await api.ask(method, path, token=tokens["report_only"], json={})
        assert answer.status == 403
        assert (await api.ask(method, path, token=tokens["operator"], json={})).status == 200


async def test_a_large_document_is_one_edit(api: Client) -> None:
    numbers = [{"e164": f"+1312555{n:04}"} for n in range(1500)]
    answer = await put(api, {"numbers": numbers})
    assert answer.status == 200 and len(answer.json["changes"]) == 1500
    document = json.loads((await api.get("setup")).body)
    assert len(document["numbers"]) == 1500
    assert len((await api.get("setup/versions")).json["items"]) == 1
