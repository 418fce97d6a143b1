"""API tokens: made, listed and revoked by admins; a token's text is told once, at its making."""

from typing import Annotated

from pydantic import StringConstraints

from edge.admin.ports import Ports
from edge.admin.present import encode, etag, one, page
from edge.admin.queries import TokenQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.config import Role, Token
from edge.model.types import Reference

TOKENS = Routes("tokens")


class TokenSpec(Record):
    """A new token: what it may do, whose it is (``publisher_id`` or ``buyer_id`` with the role of that
    name), and a name to tell it from others."""

    role: Role
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    publisher_id: Reference | None = None
    buyer_id: Reference | None = None


class NewToken(Token):
    """A token just made; ``token`` is its text, which can not be read again."""

    token: str


@TOKENS.add("GET", "/tokens", "List API tokens", query=TokenQuery, answer=Token, shape="list", access="admin")
async def listing(ports: Ports, exchange: Exchange) -> Reply:
    return await page(await ports.tokens.list(exchange.query.listing()), exchange)


@TOKENS.add(
    "POST",
    "/tokens",
    "Create an API token",
    body=TokenSpec,
    body_kind="json",
    answer=NewToken,
    status=201,
    access="admin",
)
async def create(ports: Ports, exchange: Exchange) -> Reply:
    token, text = await ports.tokens.create(
        exchange.body.role, exchange.body.name, exchange.body.publisher_id, exchange.body.buyer_id
    )
    new = NewToken(**token.model_dump(), token=text)
    return Reply(encode(new), 201, headers={**etag(new), "Location": f"{exchange.path}/{new.id}"})


@TOKENS.add("GET", "/tokens/{id}", "Read an API token", answer=Token, access="admin")
async def read(ports: Ports, exchange: Exchange) -> Reply:
    return one(await ports.tokens.get(exchange.parameters["id"]))


@TOKENS.add("DELETE", "/tokens/{id}", "Revoke an API token", shape="none", status=204, access="admin")
async def delete(ports: Ports, exchange: Exchange) -> Reply:
    await ports.tokens.delete(exchange.parameters["id"])
    return Reply(status=204)
