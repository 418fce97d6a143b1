"""A number's own settings over HTTP."""

from typing import Any

from tests.admin.client import Client


async def set_up(api: Client) -> tuple[Any, Any, list[Any]]:
    """A campaign that routes to the first of two targets, and a number of it."""
    targets = [await api.new("targets", name=n, address=f"sip:{n}@192.0.2.1") for n in ("one", "two")]
    routes = {"targets": [{"target_id": targets[0]["id"]}]}
    campaign = await api.new("campaigns", name="C", routes=routes)
    made = await api.new("numbers", e164="+13125550101", campaign_id=campaign["id"])
    return campaign, made, targets


def to(target: Any) -> dict[str, Any]:
    return {"targets": [{"target_id": target["id"]}]}


async def test_a_setting_is_unlocked_changed_and_locked_again(api: Client) -> None:
    campaign, made, (one, two) = await set_up(api)
    path = f"numbers/{made['id']}/settings/routes"
    first = made["effective"]["routes"]
    assert first["inherited"] and first["value"]["targets"][0]["target_id"] == one["id"]
    copied = (await api.post(f"{path}/unlock")).json["effective"]["routes"]
    assert (copied["inherited"], copied["value"]) == (False, first["value"])
    assert (await api.get(f"campaigns/{campaign['id']}/deviations")).json["items"][0]["differences"] == []
    own = await api.ask("PUT", path, json=to(two))
    assert own.json["effective"]["routes"]["value"]["targets"][0]["target_id"] == two["id"]
    assert own.json["effective"]["prompts"]["inherited"]
    deviation = (await api.get(f"campaigns/{campaign['id']}/deviations")).json["items"]
    assert [(d["e164"], d["setting"]) for d in deviation] == [("+13125550101", "routes")]
    expected = {"path": "routes.targets[0].target_id", "campaign": one["id"], "own": two["id"]}
    assert deviation[0]["differences"] == [expected]
    assert (await api.delete(f"targets/{two['id']}")).status == 409
    again = (await api.post(f"{path}/lock")).json["effective"]["routes"]
    assert again["inherited"] and again["dormant"]["targets"][0]["target_id"] == two["id"]
    assert (await api.get(f"campaigns/{campaign['id']}/deviations")).json["items"] == []


async def test_empty_means_none_but_for_routes(api: Client) -> None:
    campaign, made, _ = await set_up(api)
    hooks = [{"event": "call.ended", "url": "https://hooks.example/", "headers": {"campaign_id": "x"}}]
    await api.patch(f"campaigns/{campaign['id']}", {"webhooks": hooks})
    path = f"numbers/{made['id']}/settings"
    assert (await api.get(f"numbers/{made['id']}")).json["effective"]["webhooks"]["value"][0]["url"]
    emptied = await api.ask("PUT", f"{path}/webhooks", json=[])
    assert emptied.json["effective"]["webhooks"] == {"inherited": False, "value": [], "dormant": None}
    for body in ({}, {"targets": []}, {"targets": [{"target_id": "tgt_9"}]}):
        assert (await api.ask("PUT", f"{path}/routes", json=body)).status == 422
    stale = await api.ask("PUT", f"{path}/conversions", json=[], headers={"If-Match": '"1"'})
    assert stale.status == 412
    stock = await api.new("numbers", e164="+13125550102")
    assert (await api.post(f"numbers/{stock['id']}/settings/prompts/unlock")).status == 409
    assert (await api.patch(f"numbers/{made['id']}", {"settings": {}})).status == 422
