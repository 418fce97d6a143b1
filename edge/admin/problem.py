"""Errors as RFC 9457 problem details, and the one place where exceptions become answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus

import structlog
from aiohttp import web

from edge.services.errors import Conflict, FieldError, Invalid, NotFound, ServiceError, Stale, StoreDown

REQUEST_TIMEOUT_S = 30.0
SLOW_TIMEOUT_S = 300.0
LIMIT: web.RequestKey[asyncio.Timeout] = web.RequestKey("limit", asyncio.Timeout)
NO_HURRY: web.RequestKey[partial[None]] = web.RequestKey("no_hurry", partial)
"""Lets the listener know that the rest of a request may come slowly, within its ``LIMIT``."""
_STATUS: Mapping[type[ServiceError], int] = {
    NotFound: 404,
    Invalid: 422,
    Conflict: 409,
    Stale: 412,
    StoreDown: 503,
}
_log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):
    """An answer with ``application/problem+json``; ``errors`` names wrong fields (422)."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The problem as an HTTP response."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            body["errors"] = [{"path": e.path, "message": e.message} for e in self.errors]
        return web.Response(
            status=self.status,
            body=json.dumps(body).encode(),
            content_type="application/problem+json",
            headers=self.headers,
        )


def of_service(error: ServiceError) -> Problem:
    """The problem that tells a service's error."""
    status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
    errors = error.errors if isinstance(error, Invalid) else ()
    headers = {"Retry-After": "5"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Problem(status, str(error) or HTTPStatus(status).phrase, errors, headers)


def of_http(error: web.HTTPException) -> Problem:
    """The problem for what aiohttp itself refuses (404, 405, 413 and the like)."""
    details = {
        404: "there is nothing at this path; /api/docs lists what there is",
        405: "this path does not take this method; see the Allow header",
        413: "the body is too large",
    }
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return Problem(error.status, details.get(error.status, error.reason), headers=headers)


async def _outcome(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S) as limit:
            request[LIMIT] = limit
            return await handler(request)
    except Problem as problem:
        return problem.response()
    except ServiceError as error:
        return of_service(error).response()
    except web.HTTPException as error:
        return of_http(error).response()
    except TimeoutError:
        answer = Problem(408, f"the request was not complete within {REQUEST_TIMEOUT_S:g} s").response()
        answer.force_close()
        return answer
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        _log.exception("http.error", method=request.method, path=request.path)
        return Problem(500, "an internal error; the server's log has it").response()


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: every answer ends within the timeout, is typed, and is never sniffed or cached."""
    response = await _outcome(request, handler)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "Edge"
    return response
