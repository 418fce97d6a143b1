"""Blocks by the file, over HTTP."""

from tests.admin.client import Client

CSV = {"Content-Type": "text/csv"}


async def test_a_file_of_blocks_is_judged_row_by_row_and_may_come_again(api: Client) -> None:
    rows = b"pattern,reason\n+13125550101,spam\n(312) 555-0101,twice\n+1900*,premium\nanonymous,\nx,\n"
    tried = await api.ask("POST", "blocks/import?dry_run=true", data=rows, headers=CSV)
    told = [row["result"] for row in tried.json["items"]]
    assert told == ["created", "unchanged", "created", "created", "refused"]
    assert (await api.get("blocks")).json["items"] == []
    done = await api.ask("POST", "blocks/import", data=rows, headers=CSV)
    assert [row["result"] for row in done.json["items"]] == told
    assert done.json["items"][4]["errors"][0]["path"] == "pattern"
    stored = (await api.get("blocks")).json["items"]
    assert {(b["pattern"], b["reason"]) for b in stored} == {
        ("+13125550101", "spam"), ("+1900*", "premium"), ("anonymous", ""),
    }  # fmt: skip
    again = await api.ask("POST", "blocks/import", data=rows, headers=CSV)
    assert [row["result"] for row in again.json["items"]] == ["unchanged"] * 4 + ["refused"]


async def test_a_file_without_patterns_is_refused(api: Client) -> None:
    refused = await api.ask("POST", "blocks/import", data=b"number\n+13125550101\n", headers=CSV)
    assert refused.status == 422
    unknown = b"pattern,campaign_id\n+13125550101,cmp_none\n"
    [row] = (await api.ask("POST", "blocks/import", data=unknown, headers=CSV)).json["items"]
    assert (row["result"], row["errors"][0]["path"]) == ("refused", "campaign_id")


async def test_a_large_file_blocks_in_portions(api: Client) -> None:
    rows = "pattern\n" + "".join(f"+1312555{n:04d}\n" for n in range(1000))
    done = await api.ask("POST", "blocks/import", data=rows.encode(), headers=CSV)
    assert {row["result"] for row in done.json["items"]} == {"created"}
    assert len((await api.get("blocks?limit=500")).json["items"]) == 500


async def test_blocks_are_found_by_whatever_pattern_they_have(api: Client) -> None:
    for pattern in ("+13125550101", "+1312*", "anonymous", "attestation:B"):
        made = await api.new("blocks", pattern=pattern)
        found = (await api.get(f"blocks?pattern={pattern}")).json["items"]
        assert [block["id"] for block in found] == [made["id"]], pattern


async def test_an_external_id_that_another_block_has_refuses_its_row_alone(api: Client) -> None:
    await api.new("blocks", pattern="+13125550101", external_id="a")
    rows = "pattern,external_id\n+13125550102,a\n+13125550103,b\n+13125550104,b\n+13125550101,a\n"
    answer = await api.ask("POST", "blocks/import", data=rows.encode(), headers={"Content-Type": "text/csv"})
    assert answer.status == 200
    told = [(row["result"], [e["path"] for e in row["errors"]]) for row in answer.json["items"]]
    assert sorted(told) == [
        ("created", []), ("refused", ["external_id"]), ("refused", ["external_id"]), ("unchanged", []),
    ]  # fmt: skip
