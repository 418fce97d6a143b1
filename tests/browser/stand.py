"""What a browser test stands on: pages of one site, the server of another, and the browser between them.

In front of the server stands ``Edge``: it keeps what was asked, can fail or be slow, answers from a script
or passes on to a real server.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from edge.admin.listener import Listener
from edge.admin.problem import problems
from edge.admin.snippet import PATH, served
from edge.settings import Address
from edge.snippet.script import install_line, script

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Names for the two sites, without a name server.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]
CAMPAIGN = "cmp_01"
PRIMARY = "+18885550100"
POOLED = "+18885550111"
Json = dict[str, Any]
_PASSED = {"Accept-Encoding", "Content-Type", "Host", "If-None-Match", "Origin", "User-Agent"}
_OWN = {"Content-Length", "Date", "Server", "Connection", "Transfer-Encoding"}


def tag(shown: str = POOLED, **more: Any) -> Json:
    """A tag as ``POST …/numbers`` answers it."""
    return {
        "tag_id": "tag_1",
        "impression_id": "imp_1",
        "generation": 1,
        "e164": shown,
        "formatted": "(888) 555-0111",
        "number_to_replace": PRIMARY,
        "is_pool": True,
        "pool_miss": False,
        "open_now": True,
        **more,
    }


@dataclass
class Edge:
    """The server as browsers see it: what it was asked, and what it answers.

    ``upstream`` is the real server's address; without one everything below it is scripted.
    """

    url: str = ""
    upstream: str = ""
    campaign: str = CAMPAIGN
    asked: list[tuple[str, Json]] = field(default_factory=list)
    tags: list[Json] = field(default_factory=lambda: [tag()])
    active: bool = True
    failing: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    activity: Callable[[str, Json], Json] = lambda impression_id, body: {"superseded": False}

    def of(self, end: str) -> list[Json]:
        """The bodies that came to paths with this end."""
        return [body for path, body in self.asked if path.endswith(end)]

    async def script(self, request: web.Request) -> web.Response:
        """The snippet, as the server serves it."""
        if self.upstream:
            return await self._passed_on(request)
        if not self.active:
            raise web.HTTPNotFound
        return served(request, script(request.match_info["campaign_id"], self.url))

    async def answer(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.asked.append((request.path, body))
        await self.held.wait()
        if self.upstream and not self.failing:
            return await self._passed_on(request)
        if self.failing or not self.active:
            return web.json_response(
                {}, status=self.failing or 404, headers={"Access-Control-Allow-Origin": "*"}
            )
        return web.json_response(self._said(request, body), headers={"Access-Control-Allow-Origin": "*"})

    async def _passed_on(self, request: web.Request) -> web.Response:
        """What the real server answers."""
        headers = {name: request.headers[name] for name in _PASSED & request.headers.keys()}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as client,
            client.request(
                request.method,
                self.upstream + request.path_qs,
                data=await request.read(),
                headers={**headers, "X-Forwarded-For": request.remote or ""},
            ) as answer,
        ):
            kept = {name: text for name, text in answer.headers.items() if name not in _OWN}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    def _said(self, request: web.Request, body: Json) -> Json:
        if request.path.endswith("/activity"):
            return {"tags": [], **self.activity(request.match_info["id"], body)}
        return {"open_now": True, "tags": self.tags}


@dataclass
class Site:
    """The pages of the site, by path."""

    url: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/favicon.ico":
            # Asked for at a moment of the browser's own; a 404 would be a line in the console then.
            return web.Response(status=204)
        html = self.pages.get(request.path)
        if html is None:
            raise web.HTTPNotFound
        kind = "text/javascript" if request.path.endswith(".js") else "text/html"
        return web.Response(text=html, content_type=kind, headers=self.headers)


class Stand:
    """One test's two sites and windows."""

    def __init__(self, browser: Browser, edge: Edge, site: Site) -> None:
        self._browser = browser
        self.edge = edge
        self.site = site
        self.errors: list[str] = []
        self.console: list[str] = []
        self.context: BrowserContext

    @property
    def line(self) -> str:
        """The line that an operator pastes."""
        return install_line(self.edge.url, self.edge.campaign)

    async def open(self, body: str, *, head: str = "", query: str = "", path: str = "/") -> Page:
        """A new tab on a page with the snippet in its head; answers wait until the page is whole, for what
        is parsed after them is replaced a frame after it is there."""
        self.site.pages[path] = (
            f"<!doctype html><html><head>{head}{self.line}</head><body>{body}</body></html>"
        )
        answers = self.edge.held.is_set()
        self.edge.held.clear()
        page = await self.tab(path + query)
        if answers:
            self.edge.held.set()
        return page

    async def tab(self, path: str = "/") -> Page:
        """A new tab on a page that is there."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.console.append(message.text))
        await page.goto(self.site.url + path)
        return page

    async def somebody_else(self) -> BrowserContext:
        """Another visitor: a browser that knows nothing of the first."""
        return await self._browser.new_context()

    async def __aenter__(self) -> "Stand":
        self.context = await self._browser.new_context()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.context.close()


def _application(handler: Callable[[web.Request], Awaitable[web.Response]], path: str) -> web.Application:
    application = web.Application()
    application.router.add_route("*", path, handler)
    return application


@asynccontextmanager
async def stand(browser: Browser) -> AsyncIterator[Stand]:
    """Both sites on ports of their own, with nothing in them yet."""
    edge, site = Edge(), Site()
    edge.held.set()
    public = web.Application(middlewares=[problems])
    public.router.add_get(PATH, edge.script)
    public.router.add_post("/t/impressions/{id}/{what}", edge.answer)
    public.router.add_post("/t/{campaign_id}/{what}", edge.answer)
    pages = _application(site.answer, "/{tail:.*}")
    anywhere = Address("127.0.0.1", 0)
    async with Listener(public, anywhere) as serving, Listener(pages, anywhere) as shown:
        edge.url = f"http://calls.test:{serving.addresses[0][1]}"
        site.url = f"http://shop.test:{shown.addresses[0][1]}"
        async with Stand(browser, edge, site) as made:
            yield made


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's browser, without a window."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM,
            args=QUIET,
            # Pages are to come back from the back/forward cache, as they do for visitors.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        await browser.close()
