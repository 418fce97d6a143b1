"""Builds the two applications: the admin's, and the public one that knows nothing of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from edge.admin import health
from edge.admin.bodies import MAX_JSON
from edge.admin.dispatch import Dispatcher
from edge.admin.ports import Ports
from edge.admin.problem import problems
from edge.admin.resources import ROUTES

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Applications:
    """The applications of the two listeners."""

    admin: web.Application
    public: web.Application


def _application() -> web.Application:
    return web.Application(middlewares=[problems], client_max_size=MAX_JSON)


def _admin(ports: Ports, monotonic: Callable[[], float]) -> web.Application:
    application = _application()
    dispatcher = Dispatcher(ports, monotonic)
    for route in ROUTES:
        application.router.add_route(route.method, BASE + route.path, dispatcher.handler(route))
    application.router.add_get("/healthz", health.alive)
    application.router.add_get("/readyz", health.ready(ports))
    return application


def _public() -> web.Application:
    application = _application()
    application.router.add_get("/healthz", health.alive)
    return application


def build(ports: Ports, *, monotonic: Callable[[], float] = time.monotonic) -> Applications:
    """Both applications over the same ports; which listener serves which is the caller's choice."""
    return Applications(_admin(ports, monotonic), _public())
