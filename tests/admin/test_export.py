"""Calls as CSV: every row that a filter finds, nothing that a spreadsheet would run."""

import csv
import io

import pytest

from edge.admin.table import cell
from tests.admin.client import Answer, Client
from tests.admin.conftest import Backstage
from tests.admin.test_calls import ids, placed


def table(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.body
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


async def test_every_call_that_fits_is_exported(api: Client, backstage: Backstage) -> None:
    for n in range(1, 8):
        await placed(backstage, n, campaign_id="cmp_1" if n % 2 else "cmp_2")
    answer = await api.get("calls/export?campaign_id=cmp_1")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "calls.csv" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rows = table(answer)
    assert [row["id"] for row in rows] == ["call_0007", "call_0005", "call_0003", "call_0001"]
    assert rows[0]["disposition"] == "connected" and "decision" not in rows[0]
    assert [row["id"] for row in table(await api.get("calls/export?sort=started_at&limit=2"))] == [
        "call_0001", "call_0002",
    ]  # fmt: skip


async def test_more_than_a_page_is_exported(
    api: Client, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.admin.table._PAGE", 3)
    for n in range(1, 9):
        await placed(backstage, n)
    assert len(table(await api.get("calls/export"))) == 8
    assert len(table(await api.get("calls/export?limit=7"))) == 7


async def test_what_callers_send_is_no_formula(api: Client, backstage: Backstage) -> None:
    evil = '=HYPERLINK("http://x")'
    tags = {"channel": {"value": 'tv, "radio"\n', "origin": "number"}}
    await placed(backstage, 1, caller=evil, called="@SUM(1)", disposition_detail="-1+1", tags=tags)
    (row,) = table(await api.get("calls/export"))
    assert (row["caller"], row["called"], row["disposition_detail"]) == ("'" + evil, "'@SUM(1)", "'-1+1")
    assert row["tags"] == '{"channel": "tv, \\"radio\\"\\n"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (3, "3"), (-3, "'-3"), ("+13125550100", "'+13125550100"), ("=1", "'=1"), ("-1", "'-1"),
        ("@x", "'@x"), ("\tx", "'\tx"), ("\r=1", "'\r=1"), (" =1", " =1"), ("a=1", "a=1"), (["=1"], '["=1"]'),
    ],
)  # fmt: skip
def test_a_cell(value: object, text: str) -> None:
    assert cell(value) == text


async def test_a_wrong_filter_is_an_answer_not_a_file(api: Client) -> None:
    assert "colour" in (await api.get("calls/export?colour=red")).errors
    assert "limit" in (await api.get("calls/export?limit=0")).errors


async def test_calls_are_found_by_tag_target_buyer_and_end(api: Client, backstage: Backstage) -> None:
    tags = {"channel": {"value": ["tv", "radio"], "origin": "number"}}
    await placed(backstage, 1, tags=tags, target_id="tgt_1", buyer_id="buy_1", hung_up_by="caller")
    await placed(backstage, 2, tags={"channel": {"value": "web", "origin": "url"}}, hung_up_by="target")
    for query in (
        "tag=channel:radio",
        "tag=CHANNEL:tv",
        "target_id=tgt_1",
        "buyer_id=buy_1",
        "hung_up_by=caller",
    ):
        assert await ids(api, f"calls?{query}") == ["call_0001"], query
    assert await ids(api, "calls?tag=channel:none") == []
    assert "tag" in (await api.get("calls?tag=channel")).errors
