"""From an aiohttp request to a route's handler and back: role, query, body, repeat, reply."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping

import structlog
from aiohttp import web
from pydantic import BaseModel

from edge.admin.auth import Gate
from edge.admin.bodies import read, validated
from edge.admin.idempotency import Repeats
from edge.admin.ports import Ports
from edge.admin.problem import LIMIT, NO_HURRY, SLOW_TIMEOUT_S, Handler, Problem, of_http
from edge.admin.routes import Exchange, Reply, Route
from edge.model.config import Role
from edge.services.errors import FieldError, Invalid
from edge.services.identity import SCOPED, Identity, act_as

_log = structlog.get_logger(__name__)
_ENTITY_TAG = re.compile(r'"(?:([0-9]{1,15})|[!#-~]*)"')


def _query(request: web.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.query.items():
        if name in found:
            raise Invalid([FieldError(name[:100], "is given twice")])
        found[name] = value
    return found


class Dispatcher:
    """Makes aiohttp handlers out of routes."""

    def __init__(
        self, ports: Ports, monotonic: Callable[[], float], scoped: Mapping[tuple[Role, str, str], Route]
    ) -> None:
        self._ports = ports
        self._scoped = scoped
        self._gate = Gate(ports.tokens, monotonic)
        self._repeats = Repeats(monotonic)

    def handler(self, named: Route) -> Handler:
        """The aiohttp handler of a route."""

        async def handle(request: web.Request) -> web.StreamResponse:
            started = time.perf_counter()
            identity = await self._gate.identify(request, named.access)
            route = self._seen_by(identity, named)
            if route.slow:
                request[LIMIT].reschedule(asyncio.get_running_loop().time() + SLOW_TIMEOUT_S)
                request[NO_HURRY]()
            act_as(identity)
            reply = await self._run(route, request, identity)
            if route.method != "GET":
                _audit(request, identity, reply.status, started)
            if reply.file is not None:
                return web.FileResponse(reply.file, headers=reply.headers)
            return web.Response(
                body=reply.body if reply.pieces is None else reply.pieces,
                status=reply.status,
                content_type=reply.content_type if reply.body or reply.pieces else None,
                charset="utf-8" if reply.content_type.startswith("text/") else None,
                headers=reply.headers,
            )

        return handle

    def _seen_by(self, identity: Identity, route: Route) -> Route:
        """The route, or what stands for it where a publisher or a buyer asks; 404 where nothing does."""
        if identity.role not in SCOPED:
            return route
        found = self._scoped.get((identity.role, route.method, route.path))
        if found is None:
            raise of_http(web.HTTPNotFound())
        return found

    async def _run(self, route: Route, request: web.Request, identity: Identity) -> Reply:
        query = _checked(route, _query(request), identity)
        body, raw = await read(request, route)
        exchange = Exchange(request.path, request.match_info, request.headers, identity, query, body)
        key = request.headers.get("Idempotency-Key")
        if key is None or route.method != "POST":
            return await route.handler(self._ports, exchange)
        return await self._repeats.once(
            identity.token_id, request.path_qs, key, raw, lambda: route.handler(self._ports, exchange)
        )


def _checked(route: Route, given: dict[str, str], identity: Identity) -> BaseModel:
    try:
        return validated(route.query, given)
    except Invalid as error:
        strange = any(e.path not in route.query.model_fields or e.path == "sort" for e in error.errors)
        if identity.role in SCOPED and strange:
            # What may not be filtered or sorted by is not there either.
            raise of_http(web.HTTPNotFound()) from None
        raise


def _audit(request: web.Request, identity: Identity, status: int, started: float) -> None:
    _log.info(
        "http.edit",
        method=request.method,
        path=request.path,
        status=status,
        token_id=identity.token_id,
        ms=round((time.perf_counter() - started) * 1000, 1),
    )


def expected_version(exchange: Exchange) -> int | None:
    """The version that If-Match names (RFC 9110 section 13.1.1); None without one or with ``*``.

    Raises Problem 400 for what is no entity tag, 412 for a tag that is none of ours.
    """
    tag = exchange.headers.get("If-Match")
    if tag is None or tag.strip() == "*":
        return None
    found = _ENTITY_TAG.fullmatch(tag.strip())
    if found is None:
        raise Problem(400, 'If-Match takes one entity tag, quotes included, such as "3"')
    if found[1] is None:
        raise Problem(412, "If-Match names no version of this object; send the ETag as it was answered")
    return int(found[1])
