"""The ban list over the API."""

import pytest

from tests.admin.client import Client
from tests.admin.conftest import Backstage, Clock


async def test_bans_are_listed_and_lifted(api: Client, backstage: Backstage, clock: Clock) -> None:
    backstage.guard.offend("203.0.113.9", "scanner")
    clock.now += 60
    backstage.guard.offend("2001:db8::7", "scanner")
    assert not backstage.guard.admits("203.0.113.9")
    items = (await api.get("sip/bans")).json["items"]
    assert [item["source"] for item in items] == ["2001:db8::/64", "203.0.113.9"]
    assert items[1] == {
        "source": "203.0.113.9",
        "reason": "scanner",
        "since": "2026-11-20T11:59:00Z",
        "until": "2026-11-20T12:09:00Z",
        "times": 1,
        "dropped": 1,
        "datagrams_only": True,
    }
    assert (await api.delete("sip/bans?source=203.0.113.9")).status == 204
    assert (await api.delete("sip/bans?source=203.0.113.9")).status == 404
    assert backstage.guard.admits("203.0.113.9")
    assert (await api.delete("sip/bans")).status == 204
    assert (await api.get("sip/bans")).json["items"] == []


@pytest.mark.parametrize(("role", "status"), [("report_only", 403), ("operator", 204)])
async def test_lifting_bans_is_for_operators(
    api: Client, tokens: dict[str, str], role: str, status: int
) -> None:
    assert (await api.delete("sip/bans", token=tokens[role])).status == status
