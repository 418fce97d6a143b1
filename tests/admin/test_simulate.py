"""The simulator over the API."""

from typing import Any

from tests.admin.client import Client

NUMBER = "+13125550100"


async def route(api: Client, **target: Any) -> tuple[str, dict[str, Any]]:
    """A number with one target: its id, and the campaign."""
    made = await api.new("targets", name="buyer", address="sip:a@192.0.2.9", **target)
    campaign = await api.new("campaigns", name="c", routes={"targets": [{"target_id": made["id"]}]})
    await api.new("numbers", e164=NUMBER, campaign_id=campaign["id"], tags={"channel": "tv"})
    return made["id"], campaign


async def test_a_call_that_would_be_dialled(api: Client) -> None:
    target_id, _ = await route(api, filters=[{"key": "zip", "op": "begins", "value": "606"}])
    asked = {"number": NUMBER, "caller": "+12125550100", "tags": {"zip": "60601"}, "seed": 7}
    answer = await api.post("simulate", asked)
    assert answer.status == 200
    assert (answer.json["result"], answer.json["order"], answer.json["seed"]) == ("dialled", [target_id], 7)
    [line] = answer.json["decision"]["candidates"]
    assert (line["target_id"], line["odds"], line["result"]) == (target_id, 1.0, "eligible")
    assert (await api.get("calls")).json["items"] == []
    other = (await api.post("simulate", {"number": NUMBER})).json
    assert (other["result"], other["status"]) == ("refused", 480)
    assert other["disposition"] == "no_target_all_filtered"


async def test_an_unknown_number_and_wrong_questions(api: Client) -> None:
    answer = (await api.post("simulate", {"number": "+13125550199"})).json
    assert (answer["status"], answer["disposition"]) == (404, "rejected_unknown_number")
    for wrong in (
        {},
        {"number": "5550100"},
        {"number": NUMBER, "keys": ["x"]},
        {"number": NUMBER, "at": "x"},
    ):
        assert (await api.post("simulate", wrong)).status == 422


async def test_reading_is_enough_to_ask(api: Client, tokens: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {tokens['report_only']}"}
    assert (await api.post("simulate", {"number": NUMBER}, headers=headers)).status == 200


async def test_what_was_said_of_the_caller_counts_as_in_a_call(api: Client) -> None:
    """A campaign needs no call tracking tag for that: its numbers may all be static."""
    target_id, campaign = await route(api, filters=[{"key": "plan", "op": "==", "value": "gold"}])
    asked = {"number": NUMBER, "caller": "+12125550100"}
    assert (await api.post("simulate", asked)).json["disposition"] == "no_target_all_filtered"
    path = f"/t/{campaign['id']}/callers"
    told = {"caller": "+12125550100", "tags": {"plan": "gold"}}
    assert (await api.post(path, told, token="")).json == {"result": "stored"}
    assert (await api.post("simulate", asked)).json["order"] == [target_id]
    other = {**asked, "caller": "+12125550101"}
    assert (await api.post("simulate", other)).json["disposition"] == "no_target_all_filtered"
    await api.patch(f"campaigns/{campaign['id']}", {"state": "paused"})
    assert (await api.post(path, told, token="")).status == 404
    assert (await api.post("/t/cmp_none/callers", told, token="")).status == 404
