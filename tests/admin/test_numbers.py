"""Numbers over HTTP: stock, CSV, bulk edits, filters; publishers."""

from tests.admin.client import Client

CSV = {"Content-Type": "text/csv"}
ROWS = "e164,region\n+13125550101,Illinois\n+13125550102,Illinois\nx,\n"


async def test_numbers_come_in_by_csv_and_go_out_of_stock(api: Client) -> None:
    path = "numbers/import"
    tried = await api.ask("POST", f"{path}?dry_run=true", data=ROWS.encode(), headers=CSV)
    assert [row["result"] for row in tried.json["items"]] == ["created", "created", "refused"]
    assert (await api.get("numbers")).json["items"] == []
    done = await api.ask("POST", path, data=ROWS.encode(), headers=CSV)
    assert [row["row"] for row in done.json["items"]] == [1, 2, 3]
    assert done.json["items"][2]["errors"][0]["path"] == "e164"
    campaign = await api.new("campaigns", name="C")
    wanted = {"kind": "local", "country": "US", "area_code": "312", "campaign_id": campaign["id"]}
    taken = await api.new("numbers", **wanted)
    assert (taken["e164"], taken["state"], taken["region"]) == ("+13125550101", "active", "Illinois")
    await api.new("numbers", e164=None, **wanted)
    assert (await api.post("numbers", wanted)).status == 409


async def test_a_publisher_owns_numbers_and_can_not_go_before_them(api: Client) -> None:
    publisher = await api.new("publishers", name="Partner", timezone="America/New_York")
    campaign = await api.new("campaigns", name="C")
    fields = {"campaign_id": campaign["id"], "publisher_id": publisher["id"], "sub_id": "a1"}
    made = await api.new("numbers", e164="+1 (312) 555-0101", **fields)
    await api.new("numbers", e164="+13125550102", campaign_id=campaign["id"])
    assert made["e164"] == "+13125550101"
    for query in (f"publisher_id={publisher['id']}", "sub_id=a1", "tag=sub_id:a1", "search=0101"):
        assert [n["id"] for n in (await api.get(f"numbers?{query}")).json["items"]] == [made["id"]], query
    refused = await api.delete(f"publishers/{publisher['id']}")
    assert refused.status == 409 and made["id"] in refused.json["detail"]


async def test_a_bulk_update_names_ids_or_a_filter(api: Client) -> None:
    made = await api.new("numbers", e164="+13125550101")
    changes = {"region": "Illinois"}
    for body in ({}, {"ids": [made["id"]], "filter": {"kind": "local"}}, {"filter": {}}):
        assert (await api.post("numbers/bulk-update", {"changes": changes, **body})).status == 422
    answer = await api.post("numbers/bulk-update", {"changes": changes, "filter": {"kind": "local"}})
    assert [(row["id"], row["result"]) for row in answer.json["items"]] == [(made["id"], "updated")]
    assert (await api.get(f"numbers/{made['id']}")).json["region"] == "Illinois"


async def test_a_bulk_release_is_seen_before_it_is_done(api: Client) -> None:
    cost = {"minor": 250, "currency": "USD"}
    made = [await api.new("numbers", e164=f"+1312555010{n}", monthly_cost=cost) for n in (1, 2)]
    seen = (await api.post("numbers/bulk-release", {"filter": {"area_code": "312"}})).json
    assert (seen["count"], seen["saving"], seen["items"]) == (2, [{"minor": 500, "currency": "USD"}], [])
    token = {"token": seen["token"]}
    assert (await api.post("numbers/bulk-release", {**token, "force": True})).status == 422
    done = (await api.post("numbers/bulk-release", token)).json
    assert [row["result"] for row in done["items"]] == ["updated", "updated"]
    charged = (await api.get("numbers/upcoming-charges")).json["items"]
    billed = (await api.get("numbers/to-cancel")).json["items"]
    assert (charged, [row["id"] for row in billed]) == ([], [number["id"] for number in made])
    marked = await api.post(f"numbers/{made[0]['id']}/carrier-status", {"status": "cancelled"})
    assert marked.json["state"] == "retired"
    assert (await api.post(f"numbers/{made[0]['id']}/restore")).status == 409
    assert (await api.post(f"numbers/{made[1]['id']}/restore")).json["state"] == "available"
    assert (await api.post("numbers/bulk-release", {"token": "another"})).status == 409


async def test_a_block_is_there_once(api: Client) -> None:
    campaign = await api.new("campaigns", name="C")
    made = await api.new("blocks", pattern="+1312*", reason="robocalls")
    assert (await api.post("blocks", {"pattern": "+1312*"})).errors.keys() == {"pattern"}
    await api.new("blocks", pattern="+1312*", campaign_id=campaign["id"])
    found = (await api.get(f"blocks?campaign_id={campaign['id']}")).json["items"]
    assert [b["pattern"] for b in found] == ["+1312*"]
    for wrong in ("1312", "+", "+1 312", "*", "+1312**"):
        assert (await api.post("blocks", {"pattern": wrong})).status == 422, wrong
    assert (await api.delete(f"campaigns/{campaign['id']}")).status == 409
    assert (await api.delete(f"blocks/{made['id']}")).status == 204
    assert (await api.post("blocks", {"pattern": "+1312*"})).status == 201


async def test_an_unknown_placeholder_is_warned_of(api: Client) -> None:
    headers = {"X-Ok": "[call_id] [tag:any] [target_name|'x']", "X-Wrong": "[campain_id]"}
    made = await api.new("targets", name="T", address="sip:t@pbx.example", headers=headers)
    told = "there is no placeholder [campain_id]: it is left empty"
    assert made["warnings"] == [{"path": "headers.X-Wrong", "message": told}]


async def test_what_is_accepted_and_probably_not_meant_is_warned_of(api: Client) -> None:
    campaign = await api.post("campaigns", {"name": "C"})
    body = {"e164": "+13125550177", "campaign_id": campaign.json["id"], "sub_id": "a1"}
    made = (await api.post("numbers", body)).json
    assert [w["path"] for w in made["warnings"]] == ["sub_id"]
    publisher = (await api.post("publishers", {"name": "P"})).json
    path = f"numbers/{made['id']}"
    patched = await api.ask("PATCH", path, json={"publisher_id": publisher["id"]})
    assert patched.json["warnings"] == []
    await api.ask("PUT", f"{path}/settings/webhooks", json=[])
    other = await api.post("campaigns", {"name": "D"})
    moved = await api.ask("PATCH", path, json={"campaign_id": other.json["id"]})
    assert [w["path"] for w in moved.json["warnings"]] == ["effective.webhooks"]


async def test_lines_may_end_as_old_spreadsheets_end_them(api: Client) -> None:
    done = await api.ask("POST", "numbers/import", data=ROWS.replace("\n", "\r").encode(), headers=CSV)
    assert [row["result"] for row in done.json["items"]] == ["created", "created", "refused"]


async def test_a_file_that_is_refused_has_changed_nothing(api: Client) -> None:
    digits = "".join(f"+1312555{n:04d}\n" for n in range(2001))
    for rows in (digits, "+13125550101\n" + "1" * 200_000 + "\n"):
        done = await api.ask("POST", "numbers/import", data=f"e164\n{rows}".encode(), headers=CSV)
        assert (done.status, list(done.errors)) == (422, [""])
    assert (await api.get("numbers")).json["items"] == []


async def test_a_tag_goes_by_its_key_in_any_case(api: Client) -> None:
    made = await api.new("numbers", e164="+13125550101", tags={"Channel": "tv", "plan": "gold"})
    changed = await api.patch(f"numbers/{made['id']}", {"tags": {"CHANNEL": None, "Plan": "blue"}})
    assert changed.json["tags"] == {"plan": "blue"}


async def test_a_campaign_keeps_the_zone_that_its_numbers_count_in(api: Client) -> None:
    campaign = await api.new("campaigns", name="C", timezone="America/New_York")
    caps = [{"window": "block", "from": "09:00", "to": "10:00", "limit": 1}]
    number = await api.new("numbers", e164="+13125550101", campaign_id=campaign["id"], caps=caps)
    refused = await api.patch(f"campaigns/{campaign['id']}", {"timezone": None})
    assert (refused.status, number["id"] in refused.errors["timezone"]) == (422, True)
    document = (await api.get("setup")).json
    del document["campaigns"][0]["timezone"]
    whole = await api.ask("PUT", "setup", json=document)
    assert (whole.status, list(whole.errors)) == (422, ["campaigns[0].timezone"])
    moved = await api.patch(f"campaigns/{campaign['id']}", {"timezone": "America/Los_Angeles"})
    assert moved.status == 200
    await api.patch(f"numbers/{number['id']}", {"timezone": "America/New_York"})
    assert (await api.patch(f"campaigns/{campaign['id']}", {"timezone": None})).status == 200


async def test_a_number_that_does_not_cool_is_warned_of(api: Client) -> None:
    made = await api.new("numbers", e164="\u202a+1\u2011312\u2011555\u20110101\u202c")
    assert made["e164"] == "+13125550101"
    released = (await api.post(f"numbers/{made['id']}/release", {"cooling_days": 0})).json
    assert [warning["path"] for warning in released["warnings"]] == ["release.cools_until"]
    restored = (await api.post(f"numbers/{made['id']}/restore")).json
    assert restored["warnings"] == []
    cooling = (await api.post(f"numbers/{made['id']}/release", {"cooling_days": 1})).json
    assert cooling["warnings"] == []


async def test_a_target_whose_caps_have_another_midnight_than_its_hours_is_warned_of(api: Client) -> None:
    hours = {"timezone": "America/New_York", "weekly": {"mon": [["09:00", "17:00"]]}}
    fields = {"name": "T", "address": "sip:a@b.example", "hours": hours}
    lifetime = await api.new("targets", **fields, caps=[{"window": "lifetime", "limit": 5}])
    assert lifetime["warnings"] == []
    daily = await api.new("targets", **fields, caps=[{"window": "day", "limit": 5}])
    assert [warning["path"] for warning in daily["warnings"]] == ["timezone"]
    changed = await api.patch(f"targets/{daily['id']}", {"timezone": "America/New_York"})
    assert changed.json["warnings"] == []
