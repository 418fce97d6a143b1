"""The visit: what the server is told, when, and what the visitor sees when the number changes hands."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.stand import CAMPAIGN, Json, Stand, tag

pytestmark = pytest.mark.asyncio(loop_scope="session")
OLD, NEW, NEXT = "888-555-0100", "888-555-0111", "888-555-0122"
BODY = f"<p>{OLD}</p>"


async def until(look: Callable[[], Any], limit_s: float = 15) -> Any:
    """Asks again until the answer is something true."""
    async with asyncio.timeout(limit_s):
        while not (found := look()):
            await asyncio.sleep(0.01)
    return found


async def use(page: Page) -> None:
    """What a visitor does with a page."""
    await page.mouse.move(10, 10)
    await page.mouse.move(20, 20)


async def hours_later(at: Stand, hours: float = 4) -> None:
    """From here on time passes only as the test says; ``clock.install(time=0)`` comes before the page."""
    await at.context.clock.pause_at(int(hours * 3600 * 1000))


async def numbers(at: Stand) -> Json:
    """The first request for numbers."""
    found: list[Json] = await until(lambda: at.edge.of("/numbers"))
    return found[0]


async def test_the_server_learns_where_the_visit_comes_from(at: Stand) -> None:
    at.site.pages["/ad"] = "<a href='/landing?utm_source=news&gclid=a%20b#section'>go</a>"
    page = await at.open(BODY, path="/landing")
    await expect(page.locator("p")).to_have_text(NEW)
    at.edge.asked.clear()
    await page.goto(at.site.url + "/ad")
    await page.locator("a").click()
    await expect(page.locator("p")).to_have_text(NEW)
    body = at.edge.of("/numbers")[0]
    landing = f"{at.site.url}/landing"
    assert re.fullmatch(r"[0-9a-f]{32}", body.pop("visitor_id"))
    assert body == {
        "page_url": f"{landing}?utm_source=news&gclid=a%20b",
        "first_url": landing,
        "referrer": f"{at.site.url}/ad",
        "tags": {},
        "screen": await page.evaluate("screen.width + 'x' + screen.height"),
        "language": await page.evaluate("navigator.language"),
    }


async def test_reload_and_a_second_tab_are_the_same_visitor(at: Stand) -> None:
    page = await at.open(BODY, query="?first=1")
    await expect(page.locator("p")).to_have_text(NEW)
    await page.reload()
    await expect(page.locator("p")).to_have_text(NEW)
    other = await at.tab("/?second=1")
    await expect(other.locator("p")).to_have_text(NEW)
    asked = at.edge.of("/numbers")
    assert len(asked) == 3
    assert len({body["visitor_id"] for body in asked}) == 1
    assert {body["first_url"] for body in asked} == {at.site.url + "/?first=1"}
    kept = await page.evaluate("localStorage.edge_visitor")
    assert kept == f"{asked[0]['visitor_id']} {at.site.url}/?first=1"


async def test_reset_makes_a_new_visitor(at: Stand) -> None:
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    again = await at.tab("/?edge_reset=1")
    await expect(again.locator("p")).to_have_text(NEW)
    first, second = (body["visitor_id"] for body in at.edge.of("/numbers"))
    assert first != second


async def test_without_storage_the_number_is_shown_all_the_same(at: Stand) -> None:
    """Cookies stand in for blocked storage; where both are blocked the visitor lasts for the page view."""
    await at.context.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError'); }});"
        "if (location.search === '?none') Object.defineProperty(document, 'cookie',"
        " {get() { throw new DOMException('no'); }, set() { throw new DOMException('no'); }});"
    )
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    await page.reload()
    await expect(page.locator("p")).to_have_text(NEW)
    bare = await at.tab("/?none")
    await expect(bare.locator("p")).to_have_text(NEW)
    first, second, third = (body["visitor_id"] for body in at.edge.of("/numbers"))
    assert first == second != third


async def test_a_sandboxed_frame(at: Stand) -> None:
    """It has an opaque origin: no storage, no cookies."""
    at.site.pages["/frame"] = f"<!doctype html>{at.line}<p>{OLD}</p>"
    at.site.pages["/"] = "<iframe sandbox='allow-scripts' src='/frame'></iframe>"
    page = await at.tab()
    await expect(page.frame_locator("iframe").locator("p")).to_have_text(NEW)


async def test_data_pushed_before_the_script_and_after(at: Stand) -> None:
    page = await at.open(
        BODY,
        head="<script>window.edgeTags = window.edgeTags || []; edgeTags.push({plan: 'gold', seats: 5},"
        " {plan: 'silver', none: null})</script>",
    )
    await expect(page.locator("p")).to_have_text(NEW)
    body = await numbers(at)
    assert body["tags"] == {"plan": "silver", "seats": "5"}
    await page.evaluate("edgeTags.push({zip: '60601'}); edgeTags.push({plan: 'none'}, null, 7)")
    sent = (await until(lambda: at.edge.of("/activity")))[0]
    assert sent == {
        "visitor_id": body["visitor_id"],
        "generation": 1,
        "tags": {"zip": "60601", "plan": "none"},
    }


async def test_data_pushed_while_the_answer_is_on_its_way(at: Stand) -> None:
    at.edge.held.clear()
    page = await at.open(BODY)
    await numbers(at)
    await page.evaluate("edgeTags.push({late: 'yes'})")
    at.edge.held.set()
    sent = (await until(lambda: at.edge.of("/activity")))[0]
    assert sent["tags"] == {"late": "yes"}


async def test_the_page_is_told_of_its_numbers_and_whether_anybody_is_there(at: Stand) -> None:
    at.edge.tags = [tag(open_now=False)]
    page = await at.open(
        "<style>html[data-edge-open=false] .phone { display: none }</style>"
        f"<p class='phone'>{OLD}</p><i></i>",
        head="<script>document.addEventListener('edge:numbers', (event) => {"
        "  document.querySelector('i').textContent = event.detail.tags[0].e164 + ' ' + event.detail.open_now"
        "    + ' ' + document.querySelector('p').textContent; })</script>",
    )
    await expect(page.locator("i")).to_have_text(f"+18885550111 false {NEW}")
    await expect(page.locator("p")).to_be_hidden()
    assert await page.evaluate("[edgeTags.open_now, edgeTags.tags[0].tag_id]") == [False, "tag_1"]


async def test_without_consent_nothing_is_sent_or_stored(at: Stand) -> None:
    page = await at.open(BODY, head="<script>window.edgeConsent = false</script>")
    await expect(page.locator("p")).to_have_text(OLD)
    await page.evaluate("document.dispatchEvent(new Event('edge:consent'))")
    assert await page.evaluate("[localStorage.length, document.cookie, typeof edgeTags.push]") == [
        0,
        "",
        "function",
    ]
    assert at.edge.asked == []
    await page.evaluate("edgeConsent = true; document.dispatchEvent(new Event('edge:consent'))")
    await expect(page.locator("p")).to_have_text(NEW)


async def test_consent_that_is_taken_back_stops_what_would_be_sent(at: Stand) -> None:
    await at.context.clock.install(time=0)
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    await page.evaluate("edgeConsent = false; edgeTags.push({a: 1})")
    await hours_later(at)
    await use(page)
    await at.context.clock.run_for(20_000)
    await page.goto(at.site.url + "/?more")
    await expect(page.locator("p")).to_have_text(NEW)
    assert [path.rpartition("/")[2] for path, _ in at.edge.asked] == ["numbers", "numbers"]


async def test_beats_only_while_the_page_is_used_and_every_15_seconds_at_most(at: Stand) -> None:
    await at.context.clock.install(time=0)
    page = await at.open(f"{BODY}<div style='height: 9000px'></div>")
    await expect(page.locator("p")).to_have_text(NEW)
    await hours_later(at)
    await page.evaluate(
        "scrollTo(0, 500); document.body.dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
    )
    await at.context.clock.run_for(60_000)
    assert at.edge.of("/activity") == []
    await use(page)
    await at.context.clock.run_for(1)
    await until(lambda: len(at.edge.of("/activity")) == 1)
    for _ in range(14):
        await page.keyboard.press("a")
        await at.context.clock.run_for(1000)
    assert len(at.edge.of("/activity")) == 1
    await at.context.clock.run_for(1000)
    await until(lambda: len(at.edge.of("/activity")) == 2)
    await at.context.clock.run_for(120_000)
    assert len(at.edge.of("/activity")) == 2
    assert [path for path, _ in at.edge.asked if "activity" in path] == ["/t/impressions/imp_1/activity"] * 2


async def test_a_number_that_went_to_somebody_else_is_swapped_on_return(at: Stand) -> None:
    """The tab was idle for hours; the visitor comes back to it."""
    await at.context.clock.install(time=0)
    page = await at.open(f"<p>{OLD}</p><a href='tel:+18885550100'>x</a>")
    await expect(page.locator("p")).to_have_text(NEW)
    fresh = tag("+18885550122", impression_id="imp_2", generation=7)
    at.edge.activity = lambda impression_id, body: (
        {"superseded": True, "tags": [fresh]} if impression_id == "imp_1" else {"superseded": False}
    )
    await hours_later(at)
    await use(page)
    await at.context.clock.run_for(1)
    await expect(page.locator("p")).to_have_text(NEXT)
    assert await page.locator("a").get_attribute("href") == "tel:+18885550122"
    await page.evaluate("old => document.body.append(old)", OLD)
    await page.evaluate("old => document.body.append(old)", f" {NEW}")
    await at.context.clock.run_for(300)
    assert await page.evaluate("document.body.innerText.match(/[0-9-]{12}/g)") == [NEXT] * 3
    await at.context.clock.run_for(20_000)
    await use(page)
    await at.context.clock.run_for(15_000)
    await until(lambda: len(at.edge.of("/activity")) == 2)
    beats = [(path, body["generation"]) for path, body in at.edge.asked if path.endswith("/activity")]
    assert beats == [("/t/impressions/imp_1/activity", 1), ("/t/impressions/imp_2/activity", 7)]


async def test_a_superseded_number_may_give_way_to_the_primary(at: Stand) -> None:
    await at.context.clock.install(time=0)
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    at.edge.activity = lambda _, body: {
        "superseded": True,
        "tags": [tag("+18885550100", is_pool=False, pool_miss=True, impression_id="imp_9")],
    }
    await hours_later(at)
    await use(page)
    await at.context.clock.run_for(1)
    await expect(page.locator("p")).to_have_text(OLD)
    await at.context.clock.run_for(20_000)
    await use(page)
    await page.evaluate("edgeTags.push({a: 1})")
    await at.context.clock.run_for(20_000)
    await page.goto("about:blank")
    assert len(at.edge.of("/activity")) == 1, "the primary number is nobody's: nothing to keep alive"


async def test_a_visit_that_is_over_is_kept_alive_no_more(at: Stand) -> None:
    """The campaign was paused: the number stays on the screen, and the server is left in peace."""
    await at.context.clock.install(time=0)
    page = await at.open(BODY, query="?edge_debug=1")
    await expect(page.locator("p")).to_have_text(NEW)
    at.edge.active = False
    await hours_later(at)
    for _ in range(3):
        await use(page)
        await at.context.clock.run_for(20_000)
        # The page's clock does not wait for the network: the next use comes once the answer is there.
        await until(lambda: any("/activity failed 404" in line for line in at.console))
    assert await page.locator("p").inner_text() == NEW
    await page.goto("about:blank")
    assert len(at.edge.asked) == 2


async def test_back_from_the_cache_of_pages(at: Stand) -> None:
    """bfcache: no script runs anew, so the page itself must ask again, and shows what holds now."""
    at.site.pages["/next"] = "<h1>next</h1>"
    await at.context.clock.install(time=0)
    page = await at.open(
        f"{BODY}<script>addEventListener('pageshow', (event) => {{ window.back = event.persisted }})</script>"
    )
    await expect(page.locator("p")).to_have_text(NEW)
    at.edge.activity = lambda _, body: {"superseded": True, "tags": [tag("+18885550122", generation=2)]}
    await page.goto(at.site.url + "/next")
    assert len(await until(lambda: at.edge.of("/close"))) == 1
    await page.go_back(wait_until="commit")
    await page.wait_for_function("window.back !== undefined")
    assert await page.evaluate("window.back"), "the page came from the cache"
    await hours_later(at)
    await expect(page.locator("p")).to_have_text(NEXT)
    assert len(at.edge.of("/numbers")) == 1


async def test_a_closed_tab_says_so(at: Stand) -> None:
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    visitor = (await numbers(at))["visitor_id"]
    await page.close(run_before_unload=True)
    closed = await until(lambda: at.edge.of("/close"))
    assert closed == [{"visitor_id": visitor, "generation": 1, "tags": {}}]
    assert at.edge.of("/activity") == []


async def test_use_shortly_before_closing_counts(at: Stand) -> None:
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    await use(page)
    await page.evaluate("edgeTags.push({step: 'last'})")
    await page.close(run_before_unload=True)
    # Two requests, each of which may be the first.
    await until(lambda: at.edge.of("/close") and at.edge.of("/activity"))
    ends = [path.rpartition("/")[2] for path, _ in at.edge.asked]
    assert sorted(ends) == ["activity", "close", "numbers"]
    assert at.edge.of("/activity")[0]["tags"] == {"step": "last"}


async def test_a_static_number_is_shown_and_kept_alive_by_nobody(at: Stand) -> None:
    at.edge.tags = [tag(is_pool=False, impression_id=None, generation=None)]
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    await use(page)
    await page.evaluate("edgeTags.push({a: 1})")
    await page.goto("about:blank")
    assert [path for path, _ in at.edge.asked] == [f"/t/{CAMPAIGN}/numbers"]


async def test_the_debug_switch_tells_what_happens(at: Stand) -> None:
    page = await at.open(BODY, query="?edge_debug=1")
    await expect(page.locator("p")).to_have_text(NEW)
    told = re.compile(r"\[edge\] replaced 1 in [0-9.]+ ms")
    await until(lambda: any(told.search(line) for line in at.console))
    assert any("[edge] answer" in line for line in at.console)
    await page.close()  # it says no more
    at.console.clear()
    quiet = await at.tab()
    await expect(quiet.locator("p")).to_have_text(NEW)
    assert at.console == []
