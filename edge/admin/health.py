"""``/healthz`` (the process lives) and ``/readyz`` (it may take calls): no token needed."""

from aiohttp import web

from edge.admin.ports import Ports
from edge.admin.present import encode
from edge.admin.problem import Handler


async def alive(_request: web.Request) -> web.Response:
    """Answers 200 as long as the loop runs."""
    return web.json_response({"status": "alive"})


def ready(ports: Ports) -> Handler:
    """200 when every check holds, else 503; either way with each check and its reason."""

    async def handle(_request: web.Request) -> web.Response:
        checks = await ports.health.checks()
        ok = all(check.ok for check in checks)
        rows = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]
        body = encode({"status": "ready" if ok else "not ready", "checks": rows})
        return web.Response(status=200 if ok else 503, body=body, content_type="application/json")

    return handle
