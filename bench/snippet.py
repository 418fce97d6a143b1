"""The snippet in a real browser: its size as served, and one pass over a page of 5,000 nodes.

Each run is a fresh page, so that the pass is compiled and cold as it is for a visitor; the page's own trace
(``?edge_debug=1``) says how long it took.
"""

import re
from typing import Any

from playwright.async_api import Browser, ConsoleMessage

from edge.snippet.script import script
from tests.browser.stand import CAMPAIGN, chromium, stand

NODES = 5000
_PASS = re.compile(r"\[edge\] replaced (\d+) in ([0-9.]+) ms")
_TEXT = (
    "<section><h2>Plan {n}</h2><p>Twelve months, <b>{n}</b> channels and <i>no</i> contract at all.</p>"
    "<ul><li>Installed within 3 days</li><li>From 29.99 a month</li>"
    "<li><span>Cancel</span> any time</li></ul>"
    "<p>Ask <a href='/plans/{n}'>what our <em>visitors</em> say</a> of it</p></section>"
)
_CALL = "<p>Call <a href='tel:+18885550100'>(888) <em>555</em>-0100</a> now, or 888.555.0100</p>"


def page() -> str:
    """A landing page of a good 5,000 nodes, the number three times in every tenth section."""
    return "".join(_TEXT.format(n=n) + (_CALL if n % 10 == 0 else "") for n in range(NODES // 29 + 2))


async def passes(runs: int) -> list[dict[str, Any]]:
    """One result a run: nodes of the page, replacements, milliseconds of the pass, bytes served."""
    async with chromium() as browser:
        return [await _one(browser) for _ in range(runs)]


async def _one(browser: Browser) -> dict[str, Any]:
    async with stand(browser) as at:
        # The answer comes when the page is whole: one pass over everything.
        at.edge.held.clear()
        tab = await at.open(page(), query="?edge_debug=1")
        await tab.wait_for_load_state("load")
        nodes = await tab.evaluate(
            "() => { const all = document.createTreeWalker(document.body); let n = 1;"
            " while (all.nextNode()) n++; return n; }"
        )

        def traced(message: ConsoleMessage) -> bool:
            return _PASS.match(message.text) is not None

        async with tab.expect_console_message(traced) as seen:
            at.edge.held.set()
        found = _PASS.match((await seen.value).text)
        assert found is not None
        return {
            "nodes": nodes,
            "replaced": int(found[1]),
            "pass_ms": round(float(found[2]), 2),
            "gzipped_bytes": len(script(CAMPAIGN, at.edge.url).gzipped),
        }
