"""API tokens: only hashes are stored."""

from typing import Any

import sqlalchemy as sa

from edge.model.config import Token
from edge.model.instants import from_text, to_text
from edge.model.kinds import Kind
from edge.store.audit import Entry, Note, row_of
from edge.store.bodies import SHAPES
from edge.store.engine import Database
from edge.store.errors import Dangling, Missing, Reference
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import audit, tokens

_OWNERS: tuple[Kind, ...] = ("publisher", "buyer")


class Tokens:
    """The repository of tokens.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hashes(self) -> dict[bytes, Token]:
        """Every token by the SHA-256 of its text."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(sa.select(tokens))).all()
        return {bytes(row.hash): _token(row) for row in rows}

    async def insert(self, token: Token, digest: bytes, note: Note) -> None:
        """A new token; raises Dangling when its publisher or buyer is not there."""
        row: dict[str, Any] = {
            "id": token.id,
            "hash": digest,
            "name": token.name,
            "role": token.role,
            "version": token.version,
        }
        row |= {"created_at": to_text(token.created_at), "updated_at": to_text(token.updated_at)}
        row |= {"publisher_id": token.publisher_id, "buyer_id": token.buyer_id}
        async with self._database.editing() as connection:
            for kind in _OWNERS:
                owner_id, table = row[f"{kind}_id"], SHAPES[kind].table
                known = sa.select(table.c.id).where(table.c.id == owner_id)
                if owner_id is not None and await connection.scalar(known) is None:
                    raise Dangling([Reference(f"{kind}_id", kind, owner_id)])
            await connection.execute(tokens.insert().values(row))
            entry = Entry("create", "token", token.id, token.name, None, _told(token))
            await connection.execute(audit.insert().values(row_of(note, entry)))

    async def get(self, token_id: str) -> Token:
        """One token; raises Missing."""
        async with self._database.reading() as connection:
            row = (await connection.execute(sa.select(tokens).where(tokens.c.id == token_id))).first()
        if row is None:
            raise Missing
        return _token(row)

    async def list(
        self, role: str | None, sort: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Token], str | None]:
        """A page of tokens; raises BadCursor."""
        order = order_of(sort, "-created_at")
        query = sa.select(tokens) if role is None else sa.select(tokens).where(tokens.c.role == role)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(paged(query, tokens, order, cursor, limit))).all())
        return [_token(row) for row in rows[:limit]], next_cursor(rows, order, limit)

    async def delete(self, token_id: str, note: Note) -> None:
        """Removes a token; raises Missing."""
        async with self._database.editing() as connection:
            row = (await connection.execute(sa.select(tokens).where(tokens.c.id == token_id))).first()
            if row is None:
                raise Missing
            await connection.execute(tokens.delete().where(tokens.c.id == token_id))
            entry = Entry("delete", "token", token_id, row.name, _told(_token(row)), None)
            await connection.execute(audit.insert().values(row_of(note, entry)))

    async def touch(self, last_used: dict[str, str]) -> None:
        """Notes when tokens were last used (instants as texts, by id)."""
        async with self._database.editing() as connection:
            for token_id, at in last_used.items():
                await connection.execute(
                    tokens.update().where(tokens.c.id == token_id).values(last_used_at=at)
                )


def _told(token: Token) -> dict[str, Any]:
    return token.model_dump(
        mode="json", exclude={"id", "created_at", "updated_at", "version", "last_used_at"}
    )


def _token(row: Any) -> Token:
    return Token(
        id=row.id,
        version=row.version,
        created_at=from_text(row.created_at),
        updated_at=from_text(row.updated_at),
        name=row.name,
        role=row.role,
        last_used_at=row.last_used_at,
        publisher_id=row.publisher_id,
        buyer_id=row.buyer_id,
    )
