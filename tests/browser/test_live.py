"""Browser and server together: real pools behind real pages."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.stand import Json, Stand
from tests.browser.test_pages import failed
from tests.browser.test_visits import hours_later, use
from tests.integration.test_calls import CALLS, TAKES_THE_CALL
from tests.integration.test_calls import World as Phones
from tests.integration.test_pools import pooled
from tests.support.server import Server, eventually, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
_numbers = itertools.count(1000)


@dataclass
class World:
    """A campaign of its own on the shared server, and what stands on its pages."""

    at: Stand
    server: Server
    campaign: Json
    primary: Json
    pool: Json
    tag: Json

    @property
    def body(self) -> str:
        """A page that shows the primary number."""
        return f"<p>{self.written(self.primary['e164'])}</p><a href='tel:{self.primary['e164']}'>x</a>"

    @staticmethod
    def written(e164: str) -> str:
        """As the pages write it."""
        return f"({e164[2:5]}) {e164[5:8]}-{e164[8:]}"

    async def page(self, query: str = "") -> Page:
        """A visitor's first tab."""
        return await self.at.open(self.body, query=query)

    async def of(self, browser: BrowserContext) -> Page:
        """The page in another visitor's browser."""
        page = await browser.new_page()
        await page.goto(self.at.site.url + "/")
        return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory: Path = tmp_path_factory.mktemp("pools")
    async with running_server(
        directory, EDGE_PUBLIC__ALLOCATIONS_PER_MINUTE="100000", EDGE_PUBLIC__MAX_SHARE_PER_ADDRESS="1"
    ) as running:
        yield running


async def world(at: Stand, server: Server, size: int, **pool: object) -> World:
    """A campaign whose tag gives out so many numbers."""
    api = server.api

    def e164() -> str:
        return f"+1888555{next(_numbers)}"

    campaign = await api.post("campaigns", {"name": "Spring"})
    primary = await api.post("numbers", {"e164": e164(), "campaign_id": campaign["id"]})
    made = await api.post("pools", {"name": "Visitors", **pool})
    for _ in range(size):
        await api.post("numbers", {"e164": e164(), "pool_id": made["id"]})
    fields = {"primary_number_id": primary["id"], "number_to_replace": primary["e164"], "pool_id": made["id"]}
    named = {"name": "Header", "campaign_id": campaign["id"], "capture_user_data": True}
    tag = await api.post("call-tracking-tags", {**named, **fields})
    at.edge.upstream, at.edge.campaign = api.base, campaign["id"]
    return World(at, server, campaign, primary, made, tag)


async def shown(page: Page) -> str:
    """What the visitor reads, once it is the visitor's own."""
    await expect(page.locator("html[data-edge-open]")).to_have_count(1)
    return await page.locator("p").inner_text()


async def test_each_visitor_has_a_number_and_keeps_it(at: Stand, server: Server) -> None:
    made = await world(at, server, 2)
    own = made.written(made.primary["e164"])
    page = await made.page()
    mine = await shown(page)
    dialled = await page.locator("a").get_attribute("href")
    assert mine != own
    assert dialled == "tel:+1" + "".join(filter(str.isdigit, mine))
    await page.reload()
    assert await shown(page) == mine
    assert await shown(await at.tab()) == mine
    other = await at.somebody_else()
    assert await shown(await made.of(other)) not in {mine, own}
    third = await at.somebody_else()
    late = await made.of(third)
    assert await shown(late) == own, "two numbers are out, so the third visitor sees the primary one"
    assert await late.evaluate("edgeTags.tags[0].pool_miss")
    await other.close()
    await third.close()


async def test_a_lapsed_number_goes_to_the_next_and_the_screen_follows(at: Stand, server: Server) -> None:
    made = await world(at, server, 1, idle_limit_s=1, closed_browser_delay_s=0)
    await at.context.clock.install(time=0)
    page = await made.page()
    mine = await shown(page)
    # The next one keeps it, however slow the machine.
    await server.api.patch(f"pools/{made.pool['id']}", {"idle_limit_s": 600})
    other = await at.somebody_else()
    next_page = await made.of(other)
    async with asyncio.timeout(30):
        while await shown(next_page) != mine:
            await next_page.reload()
    await hours_later(at)
    await use(page)
    await at.context.clock.run_for(1)
    await expect(page.locator("p")).to_have_text(made.written(made.primary["e164"]))
    assert await page.locator("a").get_attribute("href") == f"tel:{made.primary['e164']}"
    await other.close()


async def test_a_paused_campaign_leaves_pages_as_they_are(at: Stand, server: Server) -> None:
    made = await world(at, server, 1)
    page = await made.page()
    mine = await shown(page)
    await server.api.patch(f"campaigns/{made.campaign['id']}", {"state": "paused"})
    # The browser still has the script.
    await failed(page, at, query="?edge_debug=1")
    assert await page.locator("p").inner_text() == made.written(made.primary["e164"])
    await server.api.patch(f"campaigns/{made.campaign['id']}", {"state": "active"})
    await page.reload()
    assert await shown(page) == mine


async def test_the_call_to_the_number_on_the_screen_tells_of_its_visit(
    at: Stand, server: Server, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        phones = Phones(server, tmp_path, stack)
        target = await phones.target(*TAKES_THE_CALL)
        made = await pooled(phones, target.address)
        at.edge.upstream, at.edge.campaign = server.api.base, made.primary.number["campaign_id"]
        page = await at.open(
            f"<p>{World.written(made.primary.e164)}</p>",
            head="<script>window.edgeTags = [{plan: 'gold'}]</script>",
            query="?utm_source=news&gclid=a1",
        )
        dialled = "+1" + "".join(filter(str.isdigit, await shown(page)))
        assert dialled == made.number.e164
        (await made.number.call(*CALLS)).check()
        record = await made.number.record()
    assert (record["disposition"], record["attribution"]) == ("connected", "exact")
    assert record["impression_id"] == await page.evaluate("edgeTags.tags[0].impression_id")
    tags = {key: tag["value"] for key, tag in record["tags"].items()}
    assert (tags["utm_source"], tags["gclid"], tags["plan"]) == ("news", "a1", "gold")


async def test_a_second_snippet_is_reported(at: Stand, server: Server) -> None:
    made = await world(at, server, 1)
    async with at.context.expect_event("response", lambda answer: "duplicate" in answer.url) as seen:
        page = await at.open(made.body, head=at.line)
    assert (await seen.value).status == 204
    assert await shown(page) != made.written(made.primary["e164"])
    (told,) = (await server.api.get(f"campaigns/{made.campaign['id']}/duplicate-snippets"))["items"]
    assert (told["page"], told["count"]) == (at.site.url + "/", 1)


async def test_the_visit_keeps_what_the_browser_said(at: Stand, server: Server) -> None:
    made = await world(at, server, 1)
    page = await made.page("?utm_source=news&City=%C3%98rsta#part")
    mine = await shown(page)
    await page.evaluate("edgeTags.push({Plan: 'gold', call_id: 'forged'})")
    await page.goto(at.site.url + "/?step=2")
    assert await shown(page) == mine
    await page.close(run_before_unload=True)

    async def closed() -> Json | None:
        (visit,) = (await server.api.get("impressions", campaign_id=made.campaign["id"]))["items"]
        return visit if visit["closed_at"] and visit["data"] else None

    visit: Json = await eventually(closed, 30)
    assert (visit["state"], visit["page_views"], visit["missed"]) == ("leased", 2, False)
    assert visit["first_view"]["page_url"] == f"{at.site.url}/?utm_source=news&City=%C3%98rsta"
    assert visit["last_view"]["page_url"] == f"{at.site.url}/?step=2"
    assert visit["url_tags"] == {"utm_source": "news", "city": "Ørsta", "step": "2"}
    assert visit["data"] == {"plan": "gold"}


async def test_pages_of_other_sites_get_nothing(at: Stand, server: Server) -> None:
    made = await world(at, server, 1)
    path = f"campaigns/{made.campaign['id']}"
    await server.api.patch(path, {"allowed_origins": ["https://elsewhere.example"]})
    at.site.pages["/blank"] = ""
    await made.page()
    page = await at.tab("/blank")
    await failed(page, at, query="?edge_debug=1")
    assert await page.locator("p").inner_text() == made.written(made.primary["e164"])
    await server.api.patch(path, {"allowed_origins": [at.site.url]})
    await page.reload()
    assert await shown(page) != made.written(made.primary["e164"])


async def test_a_page_can_hide_its_phone_after_hours(at: Stand, server: Server) -> None:
    made = await world(at, server, 1)
    hours = {"active": True, "timezone": "UTC", "weekly": {}}
    await server.api.patch(f"campaigns/{made.campaign['id']}", {"hours": hours})
    page = await at.open(f"<style>[data-edge-open=false] p {{ display: none }}</style>{made.body}")
    await expect(page.locator("p")).to_be_hidden()
    await server.api.patch(f"campaigns/{made.campaign['id']}", {"hours": None})
    await page.reload()
    await expect(page.locator("p")).to_be_visible()
