"""Builds the two applications: the admin's, and the public one that knows nothing of it."""

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
from edge.admin.problem import Handler, problems
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


def _fixed(body: bytes, kind: str, headers: dict[str, str] | None = None) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)

    return handle


@cache
def _description() -> tuple[bytes, bytes]:
    described = document(BASE, ROUTES, SCOPED_ROUTES)
    return encode(described), docs.page(described).encode()


def _describe(application: web.Application) -> None:
    as_json, as_page = _description()
    application.router.add_get(f"{BASE}/openapi.json", _fixed(as_json, "application/json"))
    application.router.add_get("/api/docs", _fixed(as_page, "text/html", docs.HEADERS))


def _admin(ports: Ports, monotonic: Callable[[], float]) -> web.Application:
    application = _application()
    dispatcher = Dispatcher(ports, monotonic, SCOPED_ROUTES)
    for route in ROUTES:
        application.router.add_route(route.method, BASE + route.path, dispatcher.handler(route))
    application.router.add_get("/healthz", health.alive)
    application.router.add_get("/readyz", health.ready(ports))
    application.router.add_get("/metrics", metrics(ports.figures))
    _describe(application)
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
