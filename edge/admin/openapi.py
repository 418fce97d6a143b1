"""The OpenAPI 3.1 document, made from the routes and their models."""

import copy
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from edge import __version__
from edge.admin.bodies import MAX_JSON, MAX_UPLOAD, MAX_VALUES
from edge.admin.present import records_with_secrets, secret_fields
from edge.admin.routes import Route
from edge.model.config import Role

Json = dict[str, Any]
_REF = "#/components/schemas/"
_DESCRIPTION = f"""Edge's admin API. Send an API token as `Authorization: Bearer …`. Durations are seconds and
end in `_s`, instants are RFC 3339 in UTC, phone numbers E.164 with `+`. Lists come in pages: follow the
`Link` header with `rel="next"`. `PATCH` takes a JSON merge patch; `If-Match` with an `ETag` refuses a stale
edit. A repeated `POST` with the same `Idempotency-Key` has the first one's answer for an hour. A JSON body
has at most {MAX_JSON >> 20} MB and {MAX_VALUES} values, an upload {MAX_UPLOAD >> 20} MB.
Errors are `application/problem+json` (RFC 9457)."""

_PROBLEM: Json = {
    "type": "object",
    "description": "What is wrong (RFC 9457); errors names each wrong field of a 422.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_SECRET: Json = {
    "description": "A secret is never read back: only that it is set.",
    "anyOf": [
        {"type": "object", "required": ["set"], "properties": {"set": {"const": True}}},
        {"type": "null"},
    ],
}
_WORDS = {
    400: "The request can not be read",
    401: "No API token, or an unknown one",
    403: "The token's role does not reach this",
    404: "There is no such object",
    409: "Clashes with what is stored",
    412: "The object was changed since (If-Match)",
    413: "The body is too large",
    415: "The body is of another type",
    422: "A field is wrong, missing or unknown",
    429: "Too many failed tries",
    503: "The store can not answer now",
}


def document(base: str, routes: Iterable[Route], scoped: Collection[tuple[Role, str, str]] = ()) -> Json:
    """The whole document for routes below ``base``; ``scoped`` names those that are open to publishers
    and buyers, within their own."""
    routes = tuple(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(base + route.path, {})[route.method.lower()] = _operation(route, scoped)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Edge", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: tuple[Route, ...]) -> Json:
    wanted: dict[tuple[type[BaseModel], Literal["validation", "serialization"]], None] = {}
    for route in routes:
        if route.body is not None:
            wanted[route.body, "validation"] = None
        if route.answer is not None:
            wanted[route.answer, "serialization"] = None
    _, definitions = models_json_schema(list(wanted), ref_template=_REF + "{model}")
    schemas: Json = definitions["$defs"]
    for route in routes:
        if route.answer is not None:
            _hide_secrets(schemas, route.answer)
        if route.body is not None and route.body_kind == "patch":
            schemas[_patch_name(route.body)] = _patch_schema(schemas[route.body.__name__])
    schemas["Problem"] = _PROBLEM
    return schemas


def _hide_secrets(schemas: Json, model: type[BaseModel]) -> None:
    for name in secret_fields(model):
        schemas[model.__name__]["properties"][name] = _SECRET
    for record in records_with_secrets(model).values():
        _hide_secrets(schemas, record)


def _patch_name(model: type[BaseModel]) -> str:
    return model.__name__.removesuffix("Spec") + "Patch"


def _patch_schema(spec: Mapping[str, Any]) -> Json:
    patch = copy.deepcopy(dict(spec))
    needed = patch.pop("required", ())
    patch["title"] = "A merge patch (RFC 7396): what is left out is kept, null empties a field"
    for name, field in patch["properties"].items():
        field.pop("default", None)
        if "patternProperties" in field:
            members = field["patternProperties"].items()
            field["patternProperties"] = {keys: _or_null(member) for keys, member in members}
        if name not in needed:
            patch["properties"][name] = _or_null(field)
    return patch


def _or_null(field: Json) -> Json:
    null = {"type": "null"}
    kinds = field.get("anyOf")
    if kinds is None:
        return {"anyOf": [field, null]}
    return field if null in kinds else {**field, "anyOf": [*kinds, null]}


def _operation(route: Route, scoped: Collection[tuple[Role, str, str]]) -> Json:
    own = [f"{role}s" for role, method, path in scoped if (method, path) == (route.method, route.path)]
    also = f" Open to {' and '.join(own)} too, who see what is their own, and less of it." if own else ""
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": f"Needs a token with the role `{route.access}` or more.{also}",
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": {str(route.status): _answer(route), **_problems(route)},
    }
    if route.body_kind == "csv":
        content: Json = {"text/csv": {"schema": {"type": "string"}}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.body is not None:
        required = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": _body(route, route.body)}
    return operation


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", route.path.replace("{id}", "one")).strip("_")
    return f"{route.method.lower()}_{words}"


def _path_parameters(route: Route) -> list[Json]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]


def _query_parameters(route: Route) -> list[Json]:
    schema = route.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _not_null(field)}
        for name, field in schema.get("properties", {}).items()
    ]


def _not_null(field: Json) -> Json:
    """A query parameter is there or it is not: null can not be sent."""
    kinds = [kind for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    return (
        kinds[0] if len(kinds) == 1 else {k: v for k, v in field.items() if k != "default" or v is not None}
    )


def _header_parameters(route: Route) -> list[Json]:
    found = []
    if route.method == "POST":
        schema: Json = {"type": "string", "minLength": 1, "maxLength": 255}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    edits = route.method in ("PATCH", "PUT", "DELETE") and route.tag not in ("tokens", "setup", "sip")
    if edits or route.if_match:
        schema = {"type": "string", "pattern": '^(\\*|"[!#-~]*")$'}
        found.append({"name": "If-Match", "in": "header", "required": False, "schema": schema})
    return found


def _body(route: Route, model: type[BaseModel]) -> Json:
    if route.body_kind == "patch":
        schema = {"$ref": _REF + _patch_name(model)}
        return {"application/merge-patch+json": {"schema": schema}, "application/json": {"schema": schema}}
    if route.body_kind in ("json", "document"):
        return {"application/json": {"schema": {"$ref": _REF + model.__name__}}}
    fields = model.model_json_schema()["properties"]
    form: Json = {name: {"type": "string", "maxLength": 200} for name in fields}
    file = {"type": "string", "format": "binary", "description": "WAV, at any rate"}
    text = {"type": "string", "maxLength": 2000, "description": "To be spoken, instead of a file"}
    properties = {**form, "file": file, "text": text}
    form_schema: Json = {"type": "object", "required": ["name"], "properties": properties}
    form_schema["oneOf"] = [{"required": ["file"]}, {"required": ["text"]}]
    return {"multipart/form-data": {"schema": form_schema}}


def _answer(route: Route) -> Json:
    if route.shape == "none":
        return {"description": "Done"}
    if route.shape == "binary":
        return {"description": "The audio", "content": {"audio/wav": {"schema": {}}}}
    if route.shape == "csv":
        return {"description": route.summary, "content": {"text/csv": {"schema": {"type": "string"}}}}
    assert route.answer is not None
    schema: Json = {"$ref": _REF + route.answer.__name__}
    if route.shape == "list":
        items = {"type": "array", "items": schema}
        schema = {"type": "object", "required": ["items"], "properties": {"items": items}}
    content: Json = {"application/json": {"schema": schema}}
    if route.also_text:
        content["text/plain"] = {"schema": {"type": "string"}}
    return {"description": route.summary, "content": content}


def _problems(route: Route) -> Json:
    statuses = {400, 401, 403, 422, 429, 503}
    if "{" in route.path or "owner" in route.query.model_fields:
        statuses |= {404}
    if route.method != "GET":
        statuses |= {404, 409, 412}
    if route.body is not None or route.body_kind == "csv":
        statuses |= {413, 415}
    content = {"application/problem+json": {"schema": {"$ref": _REF + "Problem"}}}
    return {str(status): {"description": _WORDS[status], "content": content} for status in sorted(statuses)}
