"""How objects are shown: JSON bytes, secrets as ``{"set": true}``, pages with their Link."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from typing import Any, get_args
from urllib.parse import urlencode

from pydantic import BaseModel

from edge.admin.routes import Exchange, Reply
from edge.model.base import Stored
from edge.model.secrets import hidden
from edge.services.listing import Page

# Long lists are written in pieces, for the loop must never be held for more than 20 ms.
_PIECE = 50
# Pieces of a body that are sent as one.
_TOGETHER = 16


@cache
def secret_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The names of a model's fields that hold secrets."""
    fields = model.model_fields.items()
    return tuple(name for name, info in fields if "SecretStr" in str(info.annotation))


@cache
def records_with_secrets(model: type[BaseModel]) -> Mapping[str, type[BaseModel]]:
    """The fields of a model that hold one record with secrets in it, and that record's model."""
    found = {}
    for name, info in model.model_fields.items():
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel) and secret_fields(part):
                found[name] = part
    return found


def shown(value: BaseModel) -> dict[str, Any]:
    """A record as it may be read: a secret as ``{"set": true}``, or null when there is none."""
    dumped = hidden(value, value.model_dump(mode="json"))
    return {"id": dumped.pop("id"), **dumped} if "id" in dumped else dumped


def encode(value: BaseModel | Mapping[str, Any]) -> bytes:
    """A record or a JSON-ready mapping as JSON."""
    data = shown(value) if isinstance(value, BaseModel) else value
    return json.dumps(data, separators=(",", ":"), default=str).encode()


def etag(value: BaseModel | Mapping[str, Any]) -> dict[str, str]:
    """The ETag header of a stored object: its version."""
    return {"ETag": f'"{value.version}"'} if isinstance(value, Stored) else {}


def one(value: BaseModel | Mapping[str, Any], status: int = 200) -> Reply:
    """A reply with one object."""
    return Reply(encode(value), status, headers=etag(value))


def created(value: Stored, where: str) -> Reply:
    """201 with the Location of the new object."""
    return Reply(encode(value), 201, headers={**etag(value), "Location": f"{where}/{value.id}"})


def _next(exchange: Exchange, cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    asked = exchange.query.model_dump(mode="json", exclude_none=True, exclude={"cursor"})
    query = urlencode({**asked, "cursor": cursor})
    return {"Link": f'<{exchange.path}?{query}>; rel="next"'}


async def many(
    items: Sequence[Any], write: Callable[[Any], bytes] = encode, headers: Mapping[str, str] | None = None
) -> Reply:
    """``{"items": […]}``, written in pieces that leave the loop free in between."""
    pieces = await _written(items, write)
    return Reply(b'{"items":[' + b",".join(pieces) + b"]}", headers=headers or {})


async def _written(items: Sequence[Any], write: Callable[[Any], bytes]) -> list[bytes]:
    pieces: list[bytes] = []
    for start in range(0, len(items), _PIECE):
        if start:
            await asyncio.sleep(0)
        pieces.append(b",".join([write(item) for item in items[start : start + _PIECE]]))
    return pieces


class Pieces:
    """A long body, sent piece by piece, as often as it is asked for: as a whole it would be copied in steps
    that hold the loop."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._pieces), _TOGETHER):
            yield b"".join(self._pieces[start : start + _TOGETHER])


async def in_pieces(
    head: Mapping[str, Any], name: str, items: Sequence[Any], write: Callable[[Any], bytes]
) -> Pieces:
    """``head`` with a long list under ``name``, written in pieces as well."""
    pieces = [encode(head)[:-1] + b',"' + name.encode() + b'":[']
    for at, piece in enumerate(await _written(items, write)):
        pieces.append(b"," + piece if at else piece)
    return Pieces([*pieces, b"]}"])


async def page(found: Page[Any], exchange: Exchange) -> Reply:
    """One page of a list, with the link to the next."""
    return await many(found.items, headers=_next(exchange, found.next_cursor))
