"""Pages and servers as they are out there: whatever goes wrong, the page stays as it was."""

import base64
import gzip
import hashlib
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from edge.snippet.script import script
from tests.browser.stand import CAMPAIGN, Stand
from tests.browser.test_visits import numbers, until, use

pytestmark = pytest.mark.asyncio(loop_scope="session")
OLD, NEW = "888-555-0100", "888-555-0111"
BODY = f"<p>{OLD}</p><a href='tel:+18885550100'>Call</a>"


async def as_it_was(at: Stand, page: Page) -> None:
    """The visitor reads and dials the page's own number, and no script of the page has seen an error."""
    assert await page.locator("p").inner_text() == OLD
    assert await page.locator("a").get_attribute("href") == "tel:+18885550100"
    assert at.errors == []


async def failed(page: Page, at: Stand, path: str = "/", query: str = "") -> None:
    """Loads the page and waits until the snippet has given up."""
    async with page.expect_event("console", lambda message: "failed" in message.text):
        await page.goto(at.site.url + path + query)


async def give_up(at: Stand, head: str = "") -> Page:
    """A page whose snippet asks in vain."""
    at.site.pages["/"] = f"<!doctype html><html><head>{head}{at.line}</head><body>{BODY}</body></html>"
    at.site.pages["/blank"] = ""
    page = await at.tab("/blank")
    await failed(page, at, query="?edge_debug=1")
    return page


@pytest.mark.parametrize("status", [404, 403, 429, 500, 503])
async def test_a_refusal_leaves_the_page_as_it_was(at: Stand, status: int) -> None:
    at.edge.failing = status
    await as_it_was(at, await give_up(at))


async def test_a_campaign_that_was_paused_after_the_script_was_cached(at: Stand) -> None:
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    at.edge.active = False
    await failed(page, at, query="?edge_debug=1")
    await as_it_was(at, page)


async def test_a_campaign_that_is_gone_is_not_asked_again(at: Stand) -> None:
    await at.context.clock.install(time=0)
    at.edge.active = False
    page = await at.open(BODY)
    at.edge.active, at.edge.failing = True, 404
    await failed(page, at, query="?edge_debug=1")
    await at.context.clock.pause_at(60_000)
    await use(page)
    await at.context.clock.run_for(20_000)
    await as_it_was(at, page)
    assert len(at.edge.asked) == 1


async def test_a_campaign_that_is_paused_has_no_script(at: Stand) -> None:
    at.edge.active = False
    page = await at.open(BODY)
    await page.wait_for_load_state("load")
    await as_it_was(at, page)
    assert at.edge.asked == []


async def test_a_server_that_is_down(at: Stand) -> None:
    """The script is not there; or it was cached, and nobody answers it."""
    await at.context.route("**/numbers", lambda route: route.abort("connectionrefused"))
    await as_it_was(at, await give_up(at))
    await at.context.route("**/t/*.js", lambda route: route.abort("connectionrefused"))
    await as_it_was(at, await at.open(BODY, path="/gone"))


async def test_a_number_comes_as_soon_as_the_server_is_back(at: Stand) -> None:
    await at.context.clock.install(time=0)
    await at.context.route("**/numbers", lambda route: route.abort("connectionrefused"))
    page = await give_up(at)
    await at.context.unroute("**/numbers")
    await at.context.clock.pause_at(60_000)
    await use(page)
    await at.context.clock.run_for(1)
    await expect(page.locator("p")).to_have_text(NEW)


async def test_a_slow_server_holds_nothing_up(at: Stand) -> None:
    at.edge.held.clear()
    page = await at.open(BODY)
    await numbers(at)
    await page.wait_for_load_state("load")
    await as_it_was(at, page)
    at.edge.held.set()
    await expect(page.locator("p")).to_have_text(NEW)


@pytest.mark.parametrize(
    "answer",
    [
        "<html>a proxy's own page</html>",
        "null",
        "[]",
        '{"tags": null}',
        '{"tags": [null]}',
        '{"open_now": true, "tags": [{"tag_id": "a", "e164": 5, "number_to_replace": {}}]}',
        '{"open_now": true, "tags": [{"tag_id": "a", "e164": "+1<b>", "number_to_replace": "+18885550100"}]}',
        '{"open_now": true, "tags": [{"tag_id": "a", "e164": "+18885550111", "number_to_replace": null}]}',
    ],
)
async def test_nonsense_for_an_answer(at: Stand, answer: str) -> None:
    async def say(route: Any) -> None:
        await route.fulfill(body=answer, headers={"Access-Control-Allow-Origin": "*"})

    await at.context.route("**/numbers", say)
    at.site.pages["/"] = f"<!doctype html><html><head>{at.line}</head><body>{BODY}</body></html>"
    at.site.pages["/blank"] = ""
    page = await at.tab("/blank")
    async with page.expect_event(
        "console", lambda message: re.search("edge. (answer|.*failed)", message.text)
    ):
        await page.goto(at.site.url + "/?edge_debug=1")
    await as_it_was(at, page)


async def test_a_strict_content_security_policy(at: Stand) -> None:
    server = at.edge.url
    at.site.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src {server}; connect-src {server}; require-trusted-types-for 'script'"
    )
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    assert at.errors == []
    assert at.console == []


async def test_a_policy_that_lets_nothing_out(at: Stand) -> None:
    at.site.headers["Content-Security-Policy"] = f"default-src 'none'; script-src {at.edge.url}"
    await as_it_was(at, await give_up(at))
    assert at.edge.asked == []


async def test_an_isolated_page_and_a_checked_script(at: Stand) -> None:
    """Cross-origin isolation and subresource integrity ask for headers on the script."""
    at.site.headers |= {
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    address = f"{at.edge.url}/t/{CAMPAIGN}.js"
    digest = base64.b64encode(hashlib.sha256(script(CAMPAIGN, at.edge.url).body).digest()).decode()
    at.site.pages["/checked"] = (
        f"<script async crossorigin='anonymous' integrity='sha256-{digest}' src='{address}'></script>{BODY}"
    )
    checked = await at.tab("/checked")
    await expect(checked.locator("p")).to_have_text(NEW)


async def test_of_two_snippets_the_first_works_and_the_other_reports_itself(at: Stand) -> None:
    other = at.line.replace(CAMPAIGN, "cmp_02")
    at.site.pages["/"] = (
        f"<!doctype html><head>{at.line.replace('async ', '')}{other.replace('async ', '')}</head>{BODY}"
    )
    page = await at.tab()
    await expect(page.locator("p")).to_have_text(NEW)
    reports = await until(
        lambda: [entry for entry in at.edge.asked if entry[0].endswith("/duplicate-snippet")]
    )
    assert reports == [
        ("/t/cmp_02/duplicate-snippet", {"page_url": at.site.url + "/", "first_campaign_id": CAMPAIGN})
    ]
    assert len(at.edge.of("/numbers")) == 1
    assert [text for text in at.console if "[edge] one snippet a page" in text]


async def test_the_same_snippet_twice(at: Stand) -> None:
    page = await at.open(BODY, head=at.line)
    await expect(page.locator("p")).to_have_text(NEW)
    await until(lambda: at.edge.of("/duplicate-snippet"))
    assert len(at.edge.of("/numbers")) == 1


MOVED = {
    "bundled after other code": "<script>var before = 1;\n;{script}\n;var after = 2;</script>",
    "run from text by an optimiser": "<script type='text/optimised' id='s'>{script}</script><script>"
    "addEventListener('load', () => {{ const s = document.createElement('script');"
    " s.textContent = document.getElementById('s').textContent; document.body.append(s); }})</script>",
    "evaluated": "<script id='s' type='text/plain'>{script}</script>"
    "<script>setTimeout(() => (0, eval)(document.getElementById('s').textContent), 1)</script>",
    "as a module": "<script type='module'>{script}</script>",
    "deferred to the end": "{body}<script defer src='/copy.js'></script>",
    "served by another host": "<script async src='/copy.js'></script>",
}


@pytest.mark.parametrize("how", MOVED)
async def test_an_optimiser_that_moves_the_script(at: Stand, how: str) -> None:
    text = script(CAMPAIGN, at.edge.url).body.decode()
    at.site.pages["/copy.js"] = text
    html = MOVED[how].format(script=text, body="")
    at.site.pages["/"] = f"<!doctype html><head>{html}</head><body>{BODY}</body>"
    page = await at.tab()
    await expect(page.locator("p")).to_have_text(NEW)
    assert at.errors == []


HOSTILE = """
  Array.prototype.toJSON = function () { return 'spoilt'; };
  String.prototype.toJSON = function () { return 'spoilt'; };
  Object.prototype.toJSON = function () { return 'spoilt'; };
  Object.prototype.extra = 'enumerable';
  Array.prototype.extra = 'enumerable';
  window.name = 'x'; window.tags = 5; window.text = 'y'; window.on = null; window.post = null;
  window.onerror = () => { window.seen = true; };
"""


async def test_a_page_that_has_bent_its_globals(at: Stand) -> None:
    page = await at.open(
        f"{BODY}<form><input name='firstChild'><input name='nodeType'><b>{OLD}</b></form>"
        "<i id='edgeTags'></i><img name='body'><img name='cookie'>",
        head=f"<script>{HOSTILE}</script>",
    )
    await expect(page.locator("p")).to_have_text(NEW)
    body = await numbers(at)
    assert (body["page_url"], body["tags"]) == (at.site.url + "/", {})
    assert await page.evaluate("window.seen") is None
    assert at.errors == []


@pytest.mark.parametrize(
    "broken",
    [
        "window.fetch = undefined",
        "window.fetch = () => { throw new Error('no'); }",
        "window.fetch = () => new Promise(() => {})",
        "window.fetch = () => Promise.resolve('nonsense')",
        "window.Map = null",
        "window.MutationObserver = undefined",
        "window.JSON.stringify = () => { throw new Error('no'); }",
        "window.crypto.getRandomValues = () => { throw new Error('no'); }",
    ],
)
async def test_a_page_without_what_the_snippet_needs(at: Stand, broken: str) -> None:
    page = await at.open(BODY, head=f"<script>{broken}</script>", query="?edge_debug=1")
    await page.wait_for_load_state("load")
    await as_it_was(at, page)


async def test_a_console_that_throws(at: Stand) -> None:
    at.site.pages["/"] = (
        "<!doctype html><script>console.warn = console.log = () => { throw new Error('no'); }</script>"
        f"{at.line}{at.line}{BODY}"
    )
    page = await at.tab()
    await expect(page.locator("p")).to_have_text(NEW)
    assert at.errors == []


async def test_a_push_never_throws(at: Stand) -> None:
    page = await at.open(BODY)
    await expect(page.locator("p")).to_have_text(NEW)
    await page.evaluate(
        "edgeTags.push({get bad() { throw new Error('no'); }}, Object.create(null), Symbol('x'))"
    )
    await page.evaluate("edgeTags.push({good: 1})")
    sent = (await until(lambda: at.edge.of("/activity")))[0]
    assert sent["tags"] == {"good": "1"}


async def test_a_page_loaded_ahead_of_the_visit_takes_no_number(at: Stand) -> None:
    """Browsers prerender pages that may never be seen."""
    await at.context.add_init_script(
        "Object.defineProperty(document, 'prerendering', {get: () => !window.activated})"
    )
    page = await at.open(BODY)
    await page.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
    assert at.edge.asked == []
    await page.evaluate("activated = true; document.dispatchEvent(new Event('prerenderingchange'))")
    await expect(page.locator("p")).to_have_text(NEW)


async def test_the_script_arrives_compressed_and_small(at: Stand) -> None:
    async with at.context.expect_event("response", lambda answer: answer.url.endswith(".js")) as seen:
        await at.open(BODY)
    answer = await seen.value
    assert answer.headers["content-encoding"] == "gzip"
    sizes = await answer.request.sizes()
    assert sizes["responseBodySize"] <= 4000
    assert len(gzip.decompress(script(CAMPAIGN, at.edge.url).gzipped)) == len(await answer.body())
