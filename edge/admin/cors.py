"""What lets a page of another site read our answers: its own origin, never anybody's login.

No browser asks beforehand, since bodies come as ``text/plain``.  Who may be answered at all is the
campaign's ``allowed_origins``; the refusal of a foreign page is not for that page to read.
"""

from http import HTTPStatus

from aiohttp import web


async def cross_origin(request: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` handler for the public paths; the script has its own, being anybody's."""
    if not request.path.startswith("/t/") or "Access-Control-Allow-Origin" in response.headers:
        return
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin")
    if origin is not None and response.status != HTTPStatus.FORBIDDEN:
        response.headers["Access-Control-Allow-Origin"] = origin
