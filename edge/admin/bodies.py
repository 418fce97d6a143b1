"""Request bodies: JSON and multipart, bounded in size, depth and parts before anything is believed."""

from collections.abc import Mapping
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from edge.admin.problem import Problem
from edge.admin.routes import Route, Upload
from edge.services.errors import FieldError, Invalid, field_errors

MAX_JSON = 1 << 20
MAX_UPLOAD = 20 << 20
MAX_DOCUMENT = 64 << 20
MAX_DEPTH = 32
MAX_VALUES = 5_000
_MAX_FIELD = 8000
_MAX_PARTS = 8
_PATCH_TYPES = ("application/merge-patch+json", "application/json")


def _content_type(request: web.Request, *allowed: str) -> None:
    if request.content_type not in allowed:
        raise Problem(415, f"send the body as {' or '.join(allowed)}, not {request.content_type[:100]}")


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body may have {limit} bytes at most")


def _depth(value: Any) -> int:
    depth, layer = 0, [value]
    while layer and depth <= MAX_DEPTH:
        depth += 1
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        layer = inner
    return depth


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text of at most ``MAX_DEPTH`` levels; a Problem 400 otherwise, or 413 for
    more than ``MAX_VALUES`` values, which no object needs and the loop would feel."""
    if raw.count(b",") > MAX_VALUES or raw.count(b"[") + raw.count(b"{") > MAX_VALUES:
        raise Problem(413, f"the body may have about {MAX_VALUES} values at most")
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"the body is no JSON: {error}") from None
    # Fewer brackets than levels: no need to look, which spares the walk over almost every body.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Problem(400, f"the body is nested deeper than {MAX_DEPTH} levels")
    return value


def validated(model: type[BaseModel], value: object) -> BaseModel:
    """``value`` as an instance of the model; raises Invalid with the path of each wrong field."""
    try:
        if isinstance(value, bytes):
            # Strict: "5" is no number and false no 0, as the schema says.
            return model.model_validate_json(value, strict=True)
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(field_errors(error)) from None


def _patch(raw: bytes, model: type[BaseModel]) -> Mapping[str, Any]:
    changes = parse_json(raw)
    if not isinstance(changes, dict):
        raise Invalid([FieldError("", "a merge patch is a JSON object")])
    unknown = [name for name in changes if name not in model.model_fields]
    if unknown:
        raise Invalid([FieldError(name[:100], "there is no such field to write") for name in unknown[:50]])
    return changes


async def _json(request: web.Request, route: Route) -> tuple[Any, bytes]:
    if route.body is None:
        return None, b""
    if not request.body_exists:
        # "curl -X POST" without a body means an empty object; what is missing is then named.
        return validated(route.body, {}), b""
    _content_type(request, *(_PATCH_TYPES if route.body_kind == "patch" else ("application/json",)))
    raw = await request.read()
    if route.body_kind == "patch":
        return _patch(raw, route.body), raw
    parse_json(raw)
    return validated(route.body, raw), raw


async def _part(part: BodyPartReader, limit: int) -> bytes:
    collected = bytearray()
    while piece := await part.read_chunk(1 << 16):
        collected += part.decode(piece)
        if len(collected) > limit:
            raise _too_large(limit)
    return bytes(collected)


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Invalid([FieldError(name, "must be UTF-8 text")]) from None


async def _multipart(request: web.Request) -> Upload:
    _content_type(request, "multipart/form-data")
    if (request.content_length or 0) > MAX_UPLOAD:
        raise _too_large(MAX_UPLOAD)
    file: bytes | None = None
    fields: dict[str, str] = {}
    parts = 0
    async for part in await request.multipart():
        parts += 1
        if parts > _MAX_PARTS or not isinstance(part, BodyPartReader) or not part.name:
            raise Problem(400, f"a form has at most {_MAX_PARTS} named parts, none of them multipart itself")
        if part.name == "file":
            file = await _part(part, MAX_UPLOAD)
        else:
            fields[part.name] = _text(await _part(part, _MAX_FIELD), part.name)
    if (file is None) == ("text" not in fields):
        raise Invalid([FieldError("file", "is required: the audio; or instead of it text, to be spoken")])
    return Upload(file or b"", fields)


async def _csv(request: web.Request) -> tuple[str, bytes]:
    _content_type(request, "text/csv")
    raw = await request.read()
    return _text(raw, ""), raw


async def _document(request: web.Request) -> tuple[bytearray, bytearray]:
    """The octets as they are: whoever wants them reads them in a thread.  A copy of them would take long."""
    _content_type(request, "application/json")
    collected = bytearray()
    async for piece in request.content.iter_chunked(1 << 16):
        collected += piece
        if len(collected) > MAX_DOCUMENT:
            raise _too_large(MAX_DOCUMENT)
    return collected, collected


async def read(request: web.Request, route: Route) -> tuple[Any, bytes | bytearray]:
    """The body as the route wants it, and its raw bytes (for recognising a repeated request)."""
    if route.body_kind == "csv":
        return await _csv(request)
    if route.body_kind == "document":
        return await _document(request)
    if route.body_kind != "multipart":
        return await _json(request, route)
    try:
        upload = await _multipart(request)
    except HttpProcessingError as error:
        raise Problem(400, "the form can not be read: a part has a malformed header") from error
    except (ValueError, AssertionError, LookupError) as error:
        raise Problem(400, f"the form can not be read: {str(error)[:200]}") from None
    return upload, upload.file + repr(sorted(upload.fields.items())).encode()
