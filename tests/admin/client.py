"""An HTTP client that tells everything of an answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def errors(self) -> dict[str, str]:
        """The messages of a 422 by their path."""
        return {error["path"]: error["message"] for error in self.json["errors"]}


class Client:
    """Requests below ``/api/v1``, or to an absolute path."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._http = aiohttp.ClientSession()
        self._token = token

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] = {},
        **more: Any,
    ) -> Answer:
        """Any request; ``token`` instead of the client's own, empty for none."""
        used = self._token if token is None else token
        all_headers = {**({"Authorization": f"Bearer {used}"} if used else {}), **headers}
        url = self.url + (path if path.startswith("/") else f"/api/v1/{path}")
        async with self._http.request(method, url, headers=all_headers, **more) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.read())

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("POST", path, json=body, **more)

    async def patch(self, path: str, body: Any, **more: Any) -> Answer:
        return await self.ask("PATCH", path, json=body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.ask("DELETE", path, **more)

    async def new(self, path: str, **fields: Any) -> Any:
        """The object that a POST made."""
        answer = await self.post(path, fields)
        assert answer.status == 201, answer.body
        return answer.json
