"""API tokens: 256 random bits, told once; only the SHA-256 is kept."""

import hashlib
import hmac
import secrets
from typing import Self

from pydantic import SecretStr

from edge.clock import Clock
from edge.ids import new_id
from edge.model.config import Role, Token
from edge.model.instants import to_text
from edge.services.errors import FieldError, Invalid
from edge.services.guard import translated
from edge.services.identity import Identity, acting
from edge.services.listing import ListQuery, Page
from edge.store.audit import Note
from edge.store.tokens import Tokens

PREFIX = "edge_"
MAX_TOKENS = 1000


class TokenService:
    """An async context manager: tokens are known in memory while the block runs.

    ``admin_token`` is ``EDGE_ADMIN_TOKEN``.  When tokens were last used is written on leaving and
    with every edit.
    """

    def __init__(self, tokens: Tokens, clock: Clock, admin_token: SecretStr | None = None) -> None:
        self._tokens = tokens
        self._clock = clock
        self._admin = None if admin_token is None else _digest(admin_token.get_secret_value())
        self._known: dict[bytes, Token] = {}
        self._used: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        with translated("token"):
            self._known = await self._tokens.hashes()
        return self

    async def __aexit__(self, *exc: object) -> None:
        with translated("token"):
            await self._note_use()

    async def authenticate(self, secret: str) -> Identity | None:
        """Who holds this token; None when nobody does.

        The time taken tells nothing of stored tokens: what is looked up is a hash, and the hash of
        the environment's token is compared in constant time.
        """
        digest = _digest(secret)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            return Identity("environment", "admin")
        token = self._known.get(digest)
        if token is None:
            return None
        self._used[token.id] = to_text(self._clock.utc())
        return Identity(token.id, token.role, token.publisher_id, token.buyer_id)

    async def create(
        self, role: Role, name: str = "", publisher_id: str | None = None, buyer_id: str | None = None
    ) -> tuple[Token, str]:
        """A new token and its text, which can not be read again; raises Invalid unless the roles
        ``publisher`` and ``buyer``, and they alone, name whose it is."""
        _check_owner("publisher", role, publisher_id)
        _check_owner("buyer", role, buyer_id)
        if len(self._known) >= MAX_TOKENS:
            raise Invalid([FieldError("", f"there are {MAX_TOKENS} tokens; delete one that is not used")])
        secret = PREFIX + secrets.token_urlsafe(32)
        now = self._clock.utc()
        token = Token(
            id=new_id("tok"), created_at=now, updated_at=now, version=1,
            name=name, role=role, publisher_id=publisher_id, buyer_id=buyer_id,
        )  # fmt: skip
        with translated("token"):
            await self._tokens.insert(token, _digest(secret), Note(acting(), now))
        self._known[_digest(secret)] = token
        return token, secret

    async def list(self, query: ListQuery) -> Page[Token]:
        """A page of tokens, newest first."""
        with translated("token"):
            await self._note_use()
            role = query.filters.get("role")
            items, cursor = await self._tokens.list(role, query.sort, query.cursor, query.limit)
        return Page(items, cursor)

    async def get(self, token_id: str) -> Token:
        """One token, without its text."""
        with translated("token"):
            await self._note_use()
            return await self._tokens.get(token_id)

    async def delete(self, token_id: str) -> None:
        """Ends a token: the next request with it is refused."""
        with translated("token"):
            await self._tokens.delete(token_id, Note(acting(), self._clock.utc()))
        self._known = {digest: token for digest, token in self._known.items() if token.id != token_id}

    async def _note_use(self) -> None:
        used, self._used = self._used, {}
        if used:
            await self._tokens.touch(used)


def _check_owner(kind: Role, role: Role, owner_id: str | None) -> None:
    if role == kind and owner_id is None:
        raise Invalid([FieldError(f"{kind}_id", f"is required: whose token it is, for the role {kind}")])
    if role != kind and owner_id is not None:
        raise Invalid([FieldError(f"{kind}_id", f"belongs to the role {kind} only")])


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
