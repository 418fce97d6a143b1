"""API tokens: told once, kept as a hash, gone when deleted."""

import sqlite3
from pathlib import Path

import pytest
from pydantic import SecretStr

from edge.clock import SystemClock
from edge.services.errors import Invalid, NotFound
from edge.services.identity import Identity
from edge.services.listing import ListQuery
from edge.services.tokens import TokenService
from edge.store.engine import Database
from edge.store.tokens import Tokens


async def test_a_token_opens_until_it_is_deleted(database: Database) -> None:
    async with TokenService(Tokens(database), SystemClock()) as service:
        token, secret = await service.create("operator", "deploy")
        assert secret.startswith("edge_") and len(secret) > 43
        assert await service.authenticate(secret) == Identity(token.id, "operator")
        assert await service.authenticate(secret[:-1]) is None
        assert await service.authenticate("") is None
        await service.delete(token.id)
        assert await service.authenticate(secret) is None
        with pytest.raises(NotFound):
            await service.get(token.id)


async def test_a_token_outlives_the_server_and_its_text_is_nowhere(
    database: Database, tmp_path: Path
) -> None:
    async with TokenService(Tokens(database), SystemClock()) as service:
        token, secret = await service.create("admin")
    async with TokenService(Tokens(database), SystemClock()) as service:
        assert await service.authenticate(secret) == Identity(token.id, "admin")
        assert (await service.get(token.id)).last_used_at is not None
    with sqlite3.connect(tmp_path / "edge.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert secret.encode() not in (tmp_path / "edge.db").read_bytes()


async def test_the_token_of_the_environment(database: Database) -> None:
    async with TokenService(Tokens(database), SystemClock(), SecretStr("first-start")) as service:
        assert await service.authenticate("first-start") == Identity("environment", "admin")
        assert await service.authenticate("first-stars") is None


async def test_lists(database: Database) -> None:
    async with TokenService(Tokens(database), SystemClock()) as service:
        made = [(await service.create(role))[0] for role in ("admin", "operator", "operator")]
        page = await service.list(ListQuery({"role": "operator"}, limit=1))
        assert [token.role for token in page.items] == ["operator"]
        rest = await service.list(ListQuery({"role": "operator"}, cursor=page.next_cursor))
        assert {token.id for token in (*page.items, *rest.items)} == {made[1].id, made[2].id}
        with pytest.raises(Invalid):
            await service.list(ListQuery(cursor="nonsense"))
