"""Every place where the number may stand: what the visitor reads, hears and dials there."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.stand import Stand, tag

pytestmark = pytest.mark.asyncio(loop_scope="session")
OLD, NEW = "888-555-0100", "888-555-0111"


async def attributes(page: Page, selector: str, name: str) -> list[str]:
    found: list[str] = await page.eval_on_selector_all(
        selector, f"all => all.map(one => one.getAttribute('{name}'))"
    )
    return found


async def test_a_number_split_over_elements(at: Stand) -> None:
    split = [
        "<span>(888)</span> <b>555</b>-<i>0100</i>",
        "<span>8</span><span>8</span><span>8</span>-555-0100",
        "888<!-- -->-555<!-- -->-0100",
        "888\n            <span>555</span>\n            <span>0100</span>",
        "<a href='tel:8885550100'>888-<strong>555</strong>-0100</a>",
        "+1 <em>888</em> 555 0100",
        "888-555-<br>0100",
    ]
    page = await at.open("".join(f"<p>{html}</p>" for html in split))
    await expect(page.locator("p").first).to_have_text("(888) 555-0111")
    assert await page.locator("p").all_inner_texts() == [
        "(888) 555-0111",
        "888-555-0111",
        "888-555-0111",
        "888 555 0111",
        "888-555-0111",
        "+1 888 555 0111",
        "888-555-\n0111",
    ]
    assert await page.locator("p").first.inner_html() == "<span>(888)</span> <b>555</b>-<i>0111</i>"


async def test_a_split_number_of_another_length(at: Stand) -> None:
    at.edge.tags = [tag("+493012345", number_to_replace="+442071234567", formatted="030 12345")]
    page = await at.open("<p>Ring <b>020</b> <i>7123</i> 4567 now</p>")
    await expect(page.locator("p")).to_have_text("Ring 030 12345 now")


async def test_cells_and_items_do_not_run_together(at: Stand) -> None:
    page = await at.open(
        "<table><tr><td>12</td><td>888-555-0100</td><td>7</td></tr></table><ul><li>1</li><li>8885550100</li></ul>"
        "<p>12<b>8885550100</b></p>"
    )
    await expect(page.locator("td").nth(1)).to_have_text(NEW)
    assert await page.locator("td").all_inner_texts() == ["12", NEW, "7"]
    assert await page.locator("li").all_inner_texts() == ["1", "8885550111"]
    assert await page.locator("p").inner_text() == "128885550100"


async def test_links_to_dial_and_to_text(at: Stand) -> None:
    links = {
        "tel:+18885550100": "tel:+18885550111",
        "tel:+1-888-555-0100": "tel:+18885550111",
        "tel:18885550100": "tel:18885550111",
        "tel:8885550100": "tel:8885550111",
        "TEL:888-555-0100": "TEL:888-555-0111",
        "tel:(888)%20555-0100": "tel:(888)%20555-0111",
        "tel://8885550100": "tel://8885550111",
        "tel:8885550100;ext=5": "tel:8885550111;ext=5",
        "sms:+18885550100?body=Hello": "sms:+18885550111?body=Hello",
        "tel:8885550101": "tel:8885550101",
        "https://example.com/8885550100": "https://example.com/8885550100",
        "tel:%E0%A4%A": "tel:%E0%A4%A",
    }
    page = await at.open("<p>888-555-0100</p>" + "".join(f'<a href="{link}">x</a>' for link in links))
    await expect(page.locator("p")).to_have_text(NEW)
    assert await attributes(page, "a", "href") == list(links.values())


async def test_links_of_another_length_can_be_dialled(at: Stand) -> None:
    at.edge.tags = [tag("+493012345", number_to_replace="+442071234567", formatted="030 12345")]
    page = await at.open("<a href='tel:02071234567'>020 7123 4567</a><a href='tel:00442071234567'>x</a>")
    await expect(page.locator("a").first).to_have_text("030 12345")
    assert await attributes(page, "a", "href") == ["tel:03012345", "tel:+493012345"]


async def test_what_is_heard_or_shown_of_attributes(at: Stand) -> None:
    page = await at.open(
        f"""<p id="n" aria-label="Call {OLD}" title="{OLD}">{OLD}</p>
        <img alt="Call {OLD}"><input placeholder="{OLD}">
        <input type="button" value="Call {OLD}"><input type="submit" value="{OLD}">
        <input type="reset" value="{OLD}">
        <button value="{OLD}">Call {OLD}</button><img data-phone="{OLD}">"""
    )
    await expect(page.locator("#n")).to_have_text(NEW)
    await expect(page.get_by_role("button", name=f"Call {NEW}")).to_have_count(2)
    await expect(page.get_by_placeholder(NEW)).to_be_visible()
    await expect(page.get_by_label(f"Call {NEW}")).to_have_text(NEW)
    assert await attributes(page, "p", "title") == [NEW]
    assert await attributes(page, "img[alt]", "alt") == [f"Call {NEW}"]
    assert await attributes(page, "[type=submit],[type=reset]", "value") == [NEW, NEW]
    assert await attributes(page, "button", "value") == [OLD]
    assert await attributes(page, "[data-phone]", "data-phone") == [OLD]


async def test_what_the_visitor_writes_and_what_the_page_computes_with_is_left_alone(at: Stand) -> None:
    page = await at.open(
        f"""<p>{OLD}</p><input id="i" value="{OLD}"><input type="hidden" value="{OLD}">
        <textarea>{OLD}</textarea><div contenteditable>{OLD}</div>
        <script id="s">window.phone = '{OLD}'</script>
        <style id="c">p::after {{ content: ' {OLD}' }}</style>
        <script type="application/ld+json">"{OLD}"</script>"""
    )
    await expect(page.locator("p")).to_have_text(NEW)
    await expect(page.locator("#i")).to_have_value(OLD)
    await expect(page.locator("textarea")).to_have_value(OLD)
    await expect(page.locator("[contenteditable]")).to_have_text(OLD)
    await page.locator("[contenteditable]").press_sequentially(f" or {OLD}")
    await page.locator("p").evaluate("(p, old) => p.append(' or ' + old)", OLD)
    await expect(page.locator("p")).to_have_text(f"{NEW} or {NEW}")
    assert (await page.locator("[contenteditable]").inner_text()).count(OLD) == 2
    assert await attributes(page, "[type=hidden]", "value") == [OLD]
    assert await page.locator("script,style").evaluate_all(
        "all => all.every(e => !/0111/.test(e.textContent))"
    )


async def test_the_title_of_the_tab(at: Stand) -> None:
    page = await at.open(f"<p>{OLD}</p>", head=f"<title>Call {OLD}</title>")
    await expect(page).to_have_title(f"Call {NEW}")


async def test_open_shadow_roots(at: Stand) -> None:
    page = await at.open(
        f"""<p>{OLD}</p><div id="host"><template shadowrootmode="open"><b>{OLD}</b><a href="tel:{OLD}">x</a>
        <div class="inner"></div></template></div><phone-later></phone-later>
        <script>
          const inner = document.querySelector('#host').shadowRoot.querySelector('.inner');
          inner.attachShadow({{mode: 'open'}}).innerHTML = '<u>{OLD}</u>';
        </script>"""
    )
    await expect(page.locator("b")).to_have_text(NEW)
    await expect(page.locator("u")).to_have_text(NEW)
    assert await page.locator("#host a").get_attribute("href") == f"tel:{NEW}"
    await page.evaluate(
        """old => {
          document.querySelector('#host').shadowRoot.querySelector('b').textContent = 'Now ' + old;
          customElements.define('phone-later', class extends HTMLElement {
            constructor() { super().attachShadow({mode: 'open'}).innerHTML = '<s>' + old + '</s>'; }
          });
        }""",
        OLD,
    )
    await expect(page.locator("b")).to_have_text(f"Now {NEW}")
    await expect(page.locator("s")).to_have_text(NEW)


async def test_content_that_comes_later(at: Stand) -> None:
    page = await at.open(f"<p>{OLD}</p><div id='app'></div><i title='x'>888-</i><a>x</a>")
    await expect(page.locator("p")).to_have_text(NEW)
    await page.evaluate(
        """old => {
          const app = document.querySelector('#app');
          app.innerHTML = '<section><h1>Call ' + old + '</h1><a href="tel:' + old + '">x</a></section>';
          app.append(old, ' or ', document.createElement('em'));
          app.lastChild.append(document.createTextNode('888-'), document.createTextNode('555-0100'));
          document.querySelector('i').append('555-0100');
          document.querySelector('i').title = old;
          document.querySelector('p').firstChild.data = 'Still ' + old;
          document.querySelector('body > a').href = 'tel:' + old;
        }""",
        OLD,
    )
    await expect(page.locator("h1")).to_have_text(f"Call {NEW}")
    await expect(page.locator("#app")).to_contain_text(f"{NEW} or {NEW}")
    await expect(page.locator("i")).to_have_text(NEW)
    await expect(page.locator("p")).to_have_text(f"Still {NEW}")
    assert await attributes(page, "a", "href") == [f"tel:{NEW}", f"tel:{NEW}"]
    assert await attributes(page, "i", "title") == [NEW]


async def test_what_comes_later_is_replaced_before_it_is_painted(at: Stand) -> None:
    page = await at.open(f"<p>{OLD}</p><i></i>")
    await expect(page.locator("p")).to_have_text(NEW)
    painted = await page.evaluate(
        """old => new Promise(seen => {
          document.querySelector('i').textContent = old;
          const frame = requestAnimationFrame;
          frame(() => frame(() => seen(document.querySelector('i').textContent)));
        })""",
        OLD,
    )
    assert painted == NEW


async def test_a_page_that_is_still_being_written(at: Stand) -> None:
    """The answer comes before the page is whole."""
    page = await at.open("")
    await expect(page.locator("html[data-edge-open]")).to_have_count(1)
    await page.evaluate(
        """old => {
          for (let i = 0; i < 300; i++) {
            document.body.append(document.createElement('div'));
            document.body.lastChild.innerHTML =
              '<p>nothing</p><p class="n"><b>' + old.slice(0, 5) + '</b>' + old.slice(5) + '</p>';
          }
        }""",
        OLD,
    )
    await expect(page.locator(".n").last).to_have_text(NEW)
    assert set(await page.locator(".n").all_inner_texts()) == {NEW}


async def test_much_that_comes_at_once(at: Stand) -> None:
    page = await at.open(f"<p>{OLD}</p><div></div>")
    await expect(page.locator("p")).to_have_text(NEW)
    await page.evaluate(
        """old => { for (let i = 0; i < 1000; i++) {
          document.querySelector('div').append(document.createElement('i'), old, ' ');
          document.querySelector('i:last-of-type').title = old;
        } }""",
        OLD,
    )
    await expect(page.locator("div")).to_have_text((f"{NEW} " * 1000).strip())
    assert set(await attributes(page, "i", "title")) == {NEW}


async def test_a_page_that_fights_back_is_not_held_up(at: Stand) -> None:
    """A script that writes the old number again must find the page alive, not an endless loop."""
    page = await at.open(
        f"""<p>{OLD}</p><button onclick="this.textContent = 'alive'">x</button><script>
        const p = document.querySelector('p');
        new MutationObserver(() => {{ if (p.textContent !== '{OLD}') p.textContent = '{OLD}'; }})
          .observe(p, {{childList: true, characterData: true, subtree: true}});
        </script>"""
    )
    await expect(page.locator("html[data-edge-open]")).to_have_count(1)
    await page.locator("button").click()
    await expect(page.locator("button")).to_have_text("alive")


async def test_the_selection_of_the_visitor_stays(at: Stand) -> None:
    at.edge.held.clear()
    page = await at.open(f"<p>Call {OLD} today</p>")
    await page.evaluate(
        "() => { const text = document.querySelector('p').firstChild;"
        " getSelection().setBaseAndExtent(text, 0, text, text.data.length); }"
    )
    at.edge.held.set()
    await expect(page.locator("p")).to_have_text(f"Call {NEW} today")
    assert await page.evaluate("String(getSelection())") == f"Call {NEW} today"
