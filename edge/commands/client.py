"""A client of the running server's API, for commands."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from edge.commands.failure import CommandFailed
from edge.commands.options import api_token, server_url

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_SLOW = aiohttp.ClientTimeout(total=310, connect=5)
Json = dict[str, Any]


class NoServer(CommandFailed):
    """Nothing answers at the server's address."""


class Refused(CommandFailed):
    """The server refused the request; ``errors`` holds each wrong field's path and what is wrong."""

    def __init__(self, text: str, code: int, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(text, code)
        self.errors = tuple(errors)


class Api:
    """The API of one server, while in the block; refused requests end the command in words."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT, trust_env=False
        )

    @classmethod
    def of(cls, url: str | None, config: Path | None) -> Self:
        """The server that options, environment and configuration point at (call it in a loop)."""
        return cls(server_url(url, config), api_token(config))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, slow: bool = False) -> Json:
        """The JSON of a GET below ``/api/v1``; ``slow`` allows minutes."""
        answer, _ = await self._ask("GET", f"{self.url}/api/v1{path}", query, None, slow)
        return answer

    async def post(
        self, path: str, body: Json, query: Mapping[str, str] | None = None, *, slow: bool = False
    ) -> Json:
        """The JSON of a POST below ``/api/v1``."""
        answer, _ = await self._ask("POST", f"{self.url}/api/v1{path}", query, body, slow)
        return answer

    async def open_post(self, path: str, body: Json) -> Json:
        """The JSON of a POST to a public path, which needs no token."""
        answer, _ = await self._ask("POST", self.url + path, None, body)
        return answer

    async def put(
        self, path: str, body: Json, query: Mapping[str, str] | None = None, *, slow: bool = False
    ) -> Json:
        """The JSON of a PUT below ``/api/v1``."""
        answer, _ = await self._ask("PUT", f"{self.url}/api/v1{path}", query, body, slow)
        return answer

    async def items(self, path: str, query: Mapping[str, str], most: int) -> AsyncIterator[Json]:
        """The items of a list, page by page, at most ``most``."""
        url: str | None = f"{self.url}/api/v1{path}"
        wanted: Mapping[str, str] | None = {**query, "limit": str(min(most, 500))}
        while url is not None:
            page, following = await self._ask("GET", url, wanted, None)
            for item in page["items"][:most]:
                yield item
            most -= len(page["items"])
            url, wanted = (following, None) if most > 0 else (None, None)

    async def _ask(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None,
        body: Json | None,
        slow: bool = False,
    ) -> tuple[Json, str | None]:
        timeout = _SLOW if slow else _TIMEOUT
        try:
            async with self._http.request(method, url, params=query, json=body, timeout=timeout) as answer:
                found = await answer.json(content_type=None)
                if answer.status >= 400:
                    raise _refused(answer.status, found)
                return found, str(answer.links["next"]["url"]) if "next" in answer.links else None
        except TimeoutError:
            raise NoServer(f"the server at {self.url} did not answer in time") from None
        except (aiohttp.ClientError, OSError):
            remedy = "start it with 'edge serve', or point --url (EDGE_URL) at it"
            raise NoServer(f"no server answers at {self.url}; {remedy}") from None
        except ValueError:
            raise CommandFailed(f"{self.url} does not answer like an Edge server; check --url") from None


def _refused(status: int, problem: Any) -> Refused:
    said = problem if isinstance(problem, dict) else {}
    text = str(said.get("detail", f"the server answered {status}"))
    remedies = {
        401: "check EDGE_TOKEN; 'edge token create --role admin' makes a new one",
        403: "use a token with a higher role (EDGE_TOKEN)",
        422: "",
    }
    remedy = remedies.get(status, "")
    errors = [(str(each.get("path")), str(each.get("message"))) for each in said.get("errors", ())]
    code = 2 if status in (401, 403, 422) else 1
    return Refused(f"{text}; {remedy}" if remedy else text, code, errors)
