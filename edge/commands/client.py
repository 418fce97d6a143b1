"""A client of the running server's API, for commands."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from edge.commands.failure import CommandFailed
from edge.commands.options import api_token, server_url

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
Json = dict[str, Any]


class NoServer(CommandFailed):
    """Nothing answers at the server's address."""


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

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """The JSON of a GET below ``/api/v1``."""
        answer, _ = await self._ask("GET", f"{self.url}/api/v1{path}", query, None)
        return answer

    async def post(self, path: str, body: Json) -> Json:
        """The JSON of a POST below ``/api/v1``."""
        answer, _ = await self._ask("POST", f"{self.url}/api/v1{path}", None, body)
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
        self, method: str, url: str, query: Mapping[str, str] | None, body: Json | None
    ) -> tuple[Json, str | None]:
        try:
            async with self._http.request(method, url, params=query, json=body) as answer:
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


def _refused(status: int, problem: Any) -> CommandFailed:
    said = problem if isinstance(problem, dict) else {}
    text = str(said.get("detail", f"the server answered {status}"))
    remedies = {
        401: "check EDGE_TOKEN; 'edge token create --role admin' makes a new one",
        403: "use a token with a higher role (EDGE_TOKEN)",
        422: "",
    }
    remedy = remedies.get(status, "")
    return CommandFailed(f"{text}; {remedy}" if remedy else text, 2 if status in (401, 403, 422) else 1)
