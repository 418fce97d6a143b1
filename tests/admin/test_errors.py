"""Bad input gets its answer, typed and with the path of what is wrong."""

import base64
from typing import Any

import pytest

from tests.admin.client import Client

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[" * 1000, JSON, 400),
        (b'{"name": NaN}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"a":' * 40 + b"1" + b"}" * 40, JSON, 400),
        (b"[]", JSON, 422),
        (b'"text"', JSON, 422),
        (b"", {}, 422),
        (b"name=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b" " * (1 << 20) + b"{}", JSON, 413),
        (b'{"a":[' + b"1," * 20_000 + b"1]}", JSON, 413),
        (b"[" * 20_000, JSON, 413),
    ],
)
async def test_a_body_that_can_not_be_read(
    api: Client, raw: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await api.ask("POST", "targets", data=raw, headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["title"]


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("trunks", {"addresses": ["192.0.2.1"]}, "name"),
        ("trunks", {"name": "t", "addresses": ["192.0.2.1", "nonsense"]}, "addresses[1]"),
        ("trunks", {"name": "t", "addresses": ["192.0.2.1"], "colour": "red"}, "colour"),
        ("trunks", {"name": "t", "addresses": ["192.0.2.1"], "sip": {"codec": []}}, "sip.codec"),
        ("trunks", {"name": "t"}, ""),
        (
            "trunks",
            {"name": "t", "addresses": ["192.0.2.1"], "sip": {"peer_addresses": ["192.0.2.2"]}},
            "sip.peer_addresses",
        ),
        (
            "targets",
            {"name": "b", "address": "sip:a@b", "sip": {"peer_addresses": ["192.0.2.1", "pbx.example"]}},
            "sip.peer_addresses[1]",
        ),
        (
            "targets",
            {"name": "b", "address": "sip:a@b", "sip": {"peer_trunk_ids": ["trk_gone"]}},
            "sip.peer_trunk_ids[0]",
        ),
        (
            "targets",
            {"name": "b", "address": "sip:a@b", "caps": [{"window": "day", "limit": -1}]},
            "caps[0].limit",
        ),
        ("targets", {"name": "b", "address": "sip:a@b", "ring_timeout_s": "30"}, "ring_timeout_s"),
        ("numbers", {"e164": "0800"}, "e164"),
        ("campaigns", {"name": "c", "timezone": "Mars/Base"}, "timezone"),
        (
            "campaigns",
            {"name": "c", "hours": {"timezone": "UTC", "weekly": {"mon": [["9:00", "17:00"]]}}},
            "hours.weekly.mon[0][0]",
        ),
    ],
)
async def test_a_wrong_field_is_named(api: Client, path: str, body: dict[str, Any], wrong: str) -> None:
    answer = await api.post(path, body)
    assert answer.status == 422
    assert list(answer.errors) == [wrong]
    assert answer.errors[wrong]


async def test_a_secret_is_not_repeated_in_an_error(api: Client) -> None:
    body = {
        "name": "t",
        "addresses": ["x"],
        "username": "u",
        "password": "open-sesame",
        "passwd": "open-sesame",
    }
    answer = await api.post("trunks", body)
    assert answer.status == 422
    assert b"sesame" not in answer.body


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("campaign=c", "campaign"),
        ("sort=tags", "sort"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
    ],
)
async def test_a_wrong_query_is_named(api: Client, query: str, wrong: str) -> None:
    answer = await api.get(f"numbers?{query}")
    assert (answer.status, list(answer.errors)) == (422, [wrong])


@pytest.mark.parametrize(
    "last", ["garbage", b"1", b'["created_at", true, 5, "x"]', rb'["created_at", true, "\ud800", "x"]']
)
async def test_a_cursor_of_nobody_is_refused(api: Client, last: bytes | str) -> None:
    cursor = last if isinstance(last, str) else base64.urlsafe_b64encode(last).decode().rstrip("=")
    assert (await api.get(f"numbers?cursor={cursor}")).status == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "calls?since=0001-01-01T00:00:00%2B14:00", None),
        ("GET", "impressions?until=9999-12-31T23:59:00-14:00", None),
        ("GET", "hours/preview?owner={}&at=9999-12-31T23:59:59Z", None),
        ("GET", "hours/preview?owner={}&at=0001-01-01T00:00:00Z", None),
        ("POST", "simulate", {"number": "+18005550100", "at": "0001-01-01T00:00:00Z"}),
        ("PATCH", "numbers/{}", {"active_until": "9999-12-31T23:59:59-12:00"}),
        ("PATCH", "numbers/{}", {"active_from": "9999-12-31T00:00:00Z"}),
    ],
)
async def test_an_instant_beyond_the_calendar_is_refused(
    api: Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    hours = {"timezone": "America/New_York", "weekly": {"mon": [["09:00", "17:00"]]}}
    campaign = await api.new("campaigns", name="c")
    number = await api.new("numbers", e164="+18005550100", campaign_id=campaign["id"], hours=hours)
    answer = await api.ask(method, path.format(number["id"]), json=body)
    assert (answer.status, len(answer.errors)) == (422, 1)


async def test_instants_are_told_in_utc_however_they_came(api: Client) -> None:
    made = await api.new("campaigns", name="c", active_from="2027-01-01T00:00:00-05:00")
    assert made["active_from"] == "2027-01-01T05:00:00Z"
    changed = await api.patch(f"campaigns/{made['id']}", {"active_until": "2027-02-01T00:00:00+01:00"})
    assert changed.json["active_until"] == "2027-01-31T23:00:00Z"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "nothing", 404), ("GET", "/nothing", 404), ("PUT", "trunks", 405), ("DELETE", "calls", 405)],
)
async def test_paths_and_methods_that_are_not_there(api: Client, method: str, path: str, status: int) -> None:
    answer = await api.ask(method, path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    if status == 405:
        assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("kind", ["trunks", "numbers", "campaigns", "targets", "prompts", "tokens", "calls"])
async def test_an_unknown_id_is_404(api: Client, kind: str) -> None:
    answer = await api.get(f"{kind}/none_01")
    assert (answer.status, answer.json["title"]) == (404, "Not Found")


async def test_no_answer_is_sniffed_or_cached(api: Client) -> None:
    for path in ("trunks", "nothing", "/healthz", "/api/docs"):
        headers = (await api.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in headers
        assert headers["Server"] == "Edge"


async def test_a_wrong_entry_of_a_list_is_one_error(api: Client) -> None:
    answer = await api.post("trunks", {"name": "x", "caller_number_from": ["to"]})
    assert answer.status == 422
    assert [error["path"] for error in answer.json["errors"]] == ["caller_number_from[0]"]
    answer = await api.post("trunks", {"name": "x", "caller_number_from": []})
    assert [error["path"] for error in answer.json["errors"]] == ["caller_number_from"]
