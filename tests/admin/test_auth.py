"""Who may do what, and how a wrong token is answered."""

import pytest

from tests.admin.client import Client
from tests.admin.conftest import ADMIN, Clock

TARGET = {"name": "buyer", "address": "sip:a@192.0.2.1"}


@pytest.mark.parametrize(
    ("method", "path", "body", "answers"),
    [
        ("GET", "targets", None, (200, 200, 200)),
        ("POST", "targets", TARGET, (201, 201, 403)),
        ("PATCH", "targets/tgt_none", {"name": "x"}, (404, 404, 403)),
        ("DELETE", "targets/tgt_none", None, (404, 404, 403)),
        ("GET", "calls", None, (200, 200, 200)),
        ("POST", "calls/call_none/hangup", None, (404, 404, 403)),
        ("GET", "tokens", None, (200, 403, 403)),
        ("POST", "tokens", {"role": "admin"}, (201, 403, 403)),
        ("DELETE", "tokens/tok_none", None, (404, 403, 403)),
        ("POST", "drain", {}, (202, 403, 403)),
        ("GET", "sip/refused", None, (200, 200, 200)),
    ],
)
async def test_each_role_reaches_what_it_may(
    api: Client, tokens: dict[str, str], method: str, path: str, body: object, answers: tuple[int, int, int]
) -> None:
    statuses = [(await api.ask(method, path, token=token, json=body)).status for token in tokens.values()]
    assert tuple(statuses) == answers


@pytest.mark.parametrize(
    "header", [None, "", "Basic YTpi", "Bearer", "Bearer ", "Bearer wrong", "the-token-of-the-environment"]
)
async def test_without_a_known_token_nothing_is_told(api: Client, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await api.get("trunks", token="", headers=headers)
    assert answer.status == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_in_the_query_string_is_no_token(api: Client) -> None:
    assert (await api.get(f"trunks?token={ADMIN}", token="")).status == 401


async def test_guessing_is_slowed_down(api: Client, clock: Clock) -> None:
    statuses = [(await api.get("trunks", token=f"guess-{n}")).status for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    waiting = await api.get("trunks", token="one more")
    assert 1 <= int(waiting.headers["Retry-After"]) <= 7
    clock.now += 6.1
    assert (await api.get("trunks", token="one more")).status == 401
    assert (await api.get("trunks", token="one more")).status == 429


async def test_a_right_token_is_not_locked_out_by_others(api: Client) -> None:
    assert (await api.get("trunks")).status == 200
    for n in range(15):
        await api.get("trunks", token=f"guess-{n}")
    assert (await api.get("trunks")).status == 200


async def test_a_right_guess_during_the_lock_is_not_told(api: Client, tokens: dict[str, str]) -> None:
    for n in range(10):
        await api.get("trunks", token=f"guess-{n}")
    assert (await api.get("trunks", token=tokens["operator"])).status == 429


async def test_health_and_documents_need_no_token(api: Client) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/docs"):
        assert (await api.get(path, token="")).status == 200, path
