"""Builds the two applications: the admin's, and the public one that knows nothing of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from aiohttp import web

from edge.admin import docs, health
from edge.admin.bodies import MAX_JSON
from edge.admin.dispatch import Dispatcher
from edge.admin.metrics import metrics
from edge.admin.openapi import document
from edge.admin.ports import Ports
from edge.admin.present import encode
from edge.admin.problem import problems
from edge.admin.public import PublicFace
from edge.admin.resources import ROUTES
from edge.admin.resources.scoped import SCOPED_ROUTES

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Applications:
    """The applications of the two listeners.

    ``public`` is served on ``public.listen``; while that is empty, the admin listener stands for
    both.
    """

    admin: web.Application
    public: web.Application


def _application() -> web.Application:
    return web.Application(middlewares=[problems], client_max_size=MAX_JSON)


@cache
def _description() -> tuple[bytes, bytes]:
    described = document(BASE, ROUTES, SCOPED_ROUTES)
    return encode(described), docs.page(described).encode()


class _Description:
    """The API's description, as a document and as a page: made once, by a thread, when it is first asked for.

    It takes a third of a second, which no start and no call should wait for.
    """

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    def add_to(self, application: web.Application) -> None:
        application.router.add_get(f"{BASE}/openapi.json", self.document)
        application.router.add_get("/api/docs", self.page)

    async def document(self, _request: web.Request) -> web.Response:
        body, _ = await self._made()
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    async def page(self, _request: web.Request) -> web.Response:
        _, body = await self._made()
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=docs.HEADERS)

    async def _made(self) -> tuple[bytes, bytes]:
        async with self._one:
            return await asyncio.to_thread(_description)


def _admin(ports: Ports, monotonic: Callable[[], float]) -> web.Application:
    application = _application()
    dispatcher = Dispatcher(ports, monotonic, SCOPED_ROUTES)
    for route in ROUTES:
        application.router.add_route(route.method, BASE + route.path, dispatcher.handler(route))
    application.router.add_get("/healthz", health.alive)
    application.router.add_get("/readyz", health.ready(ports))
    application.router.add_get("/metrics", metrics(ports.figures))
    _Description().add_to(application)
    return application


def _public(face: PublicFace) -> web.Application:
    application = _application()
    application.router.add_get("/healthz", health.alive)
    face.add_to(application)
    return application


def build(
    ports: Ports, *, monotonic: Callable[[], float] = time.monotonic, shared: bool = True
) -> Applications:
    """Both applications over the same ports; ``listener.Listener`` runs them.

    ``shared``: there is no listener of its own for the public one, so the admin's serves browsers too.
    """
    face, admin = PublicFace(ports), _admin(ports, monotonic)
    if shared:
        face.add_to(admin)
    return Applications(admin, _public(face))
