"""A client of the admin API, as an operator's script would be one."""

from types import TracebackType
from typing import Any, Self

import aiohttp

Json = dict[str, Any]


class ApiError(Exception):
    """The API answered with a problem; ``status`` and ``problem`` are what it said."""

    def __init__(self, method: str, path: str, status: int, problem: Any) -> None:
        super().__init__(f"{method} {path}: {status} {problem}")
        self.status = status
        self.problem = problem


class Api:
    """JSON in, JSON out, under ``/api/v1``; a context manager."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base.rstrip("/")
        self.http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, timeout=aiohttp.ClientTimeout(total=20)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        url = self.base + (path if path.startswith("/") else f"/api/v1/{path}")
        async with self.http.request(method, url, **options) as answer:
            is_json = "json" in answer.content_type
            body = await (answer.json() if is_json else answer.text())
            if answer.status >= 400:
                raise ApiError(method, path, answer.status, body)
            return body

    async def get(self, path: str, **query: Any) -> Any:
        """GET of a resource under ``/api/v1``, or of an absolute path such as ``/metrics``."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Json) -> Any:
        """POST of a new object; answers what was stored."""
        return await self._ask("POST", path, json=body)

    async def put(self, path: str, body: Any) -> Any:
        """PUT of a whole value."""
        return await self._ask("PUT", path, json=body)

    async def patch(self, path: str, body: Json) -> Any:
        """A JSON merge patch."""
        content = {"Content-Type": "application/merge-patch+json"}
        return await self._ask("PATCH", path, json=body, headers=content)

    async def delete(self, path: str) -> Any:
        """DELETE of an object."""
        return await self._ask("DELETE", path)

    async def upload_prompt(self, name: str, wav: bytes) -> Any:
        """A prompt from the bytes of a WAV file."""
        form = aiohttp.FormData()
        form.add_field("name", name)
        form.add_field("file", wav, filename="prompt.wav", content_type="audio/wav")
        return await self._ask("POST", "prompts", data=form)

    async def metric(self, name: str) -> float:
        """The sum over a metric's series on ``/metrics``; 0 when it has none."""
        page: str = await self.get("/metrics")
        rows = (row for row in page.splitlines() if row.startswith((f"{name} ", name + "{")))
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows)
