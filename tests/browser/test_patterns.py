"""Every way of writing the number: what the visitor reads instead."""

import pytest
from playwright.async_api import expect

from tests.browser.stand import Stand, tag

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The number to replace is +1 888 555 0100, the visitor's own +1 888 555 0111.
PATTERNS = {
    "888-555-0100": "888-555-0111",
    "8885550100": "8885550111",
    "(888) 555-0100": "(888) 555-0111",
    "(888)555-0100": "(888)555-0111",
    "888.555.0100": "888.555.0111",
    "888 555 0100": "888 555 0111",
    "888/555/0100": "888/555/0111",
    "888\u00a0555\u00a00100": "888\u00a0555\u00a00111",
    "888\u2011555\u20110100": "888\u2011555\u20110111",
    "888\u2013555\u20130100": "888\u2013555\u20130111",
    "888 \u2022 555 \u2022 0100": "888 \u2022 555 \u2022 0111",
    "888\u00b7555\u00b70100": "888\u00b7555\u00b70111",
    "1-888-555-0100": "1-888-555-0111",
    "1 (888) 555-0100": "1 (888) 555-0111",
    "18885550100": "18885550111",
    "+18885550100": "+18885550111",
    "+1 888 555 0100": "+1 888 555 0111",
    "+1 (888) 555-0100": "+1 (888) 555-0111",
    "001 888 555 0100": "001 888 555 0111",
    "(+1) 888 555 0100": "(+1) 888 555 0111",
    "88 85 55 01 00": "88 85 55 01 11",
    "\u202a888-555-0100\u202c": "\u202a888-555-0111\u202c",
    "Call 24/7 888-555-0100, or 888.555.0100.": "Call 24/7 888-555-0111, or 888.555.0111.",
    "(call 888-555-0100)": "(call 888-555-0111)",
    "Since 1999 888-555-0100": "Since 1999 888-555-0111",
}
OTHERS = [
    "8885550101",
    "98885550100",
    "88855501001",
    "12-888-555-0100",
    "888-555-0100-22",
    "3.8885550100",
    "8885550100.25",
    "+44 888 555 0100",
    "+888 555 0100",
    "888 x 555 x 0100",
]


async def test_the_pattern_is_kept(at: Stand) -> None:
    body = "".join(f"<p>{written}</p>" for written in PATTERNS)
    page = await at.open(f'<meta charset="utf-8">{body}')
    await expect(page.locator("p").first).to_have_text("888-555-0111")
    assert await page.locator("p").all_inner_texts() == list(PATTERNS.values())


async def test_other_numbers_are_left_alone(at: Stand) -> None:
    body = "".join(f"<p>{written}</p>" for written in OTHERS)
    page = await at.open(f"<b>888-555-0100</b>{body}")
    await expect(page.locator("b")).to_have_text("888-555-0111")
    assert await page.locator("p").all_inner_texts() == OTHERS


LONDON, LEEDS, BERLIN = "+442071234567", "+441132345678", "+493012345"


@pytest.mark.parametrize(
    ("replaced", "shown", "formatted", "texts"),
    [
        (
            LONDON,
            LEEDS,
            "0113 234 5678",
            {
                "020 7123 4567": "011 3234 5678",
                "(020) 7123 4567": "(011) 3234 5678",
                "+44 20 7123 4567": "+44 11 3234 5678",
                "+44 (0)20 7123 4567": "+44 (0)11 3234 5678",
                "0044 20 7123 4567": "0044 11 3234 5678",
                "02071234567": "01132345678",
            },
        ),
        (
            LONDON,
            BERLIN,
            "030 12345",
            {
                "020 7123 4567": "030 12345",
                "(020) 7123 4567": "030 12345",
                "+44 20 7123 4567": "+49 30 12345",
                "(call 020 7123 4567)": "(call 030 12345)",
                "(020 7123 4567)": "(030 12345)",
            },
        ),
        (
            LONDON,
            "+18885550111",
            "(888) 555-0111",
            {"+44 20 7123 4567": "+1 88 8555 0111", "020 7123 4567": "(888) 555-0111"},
        ),
        (
            "+18885550100",
            "+390612345678",
            "06 1234 5678",
            {"888-555-0100": "06 1234 5678", "1-888-555-0100": "39-061-234-5678"},
        ),
    ],
)
async def test_country_codes_and_lengths(
    at: Stand, replaced: str, shown: str, formatted: str, texts: dict[str, str]
) -> None:
    at.edge.tags = [tag(shown, number_to_replace=replaced, formatted=formatted)]
    page = await at.open("".join(f"<p>{written}</p>" for written in texts))
    await expect(page.locator("p").first).to_have_text(next(iter(texts.values())))
    assert await page.locator("p").all_inner_texts() == list(texts.values())


async def test_several_tags_each_have_their_number(at: Stand) -> None:
    sales = tag("+18885550111", number_to_replace="+18885550100")
    service = tag("+13125550177", tag_id="tag_2", number_to_replace="+13125550123", is_pool=False)
    paused = {"tag_id": "tag_3", "status": 404}
    at.edge.tags = [sales, service, paused]
    page = await at.open("<p>888-555-0100</p><p>(312) 555-0123</p>")
    await expect(page.locator("p").first).to_have_text("888-555-0111")
    assert await page.locator("p").all_inner_texts() == ["888-555-0111", "(312) 555-0177"]


async def test_of_two_tags_for_one_number_the_first_is_shown(at: Stand) -> None:
    at.edge.tags = [tag(), tag("+493012345", formatted="030 12345", tag_id="tag_2")]
    page = await at.open("<p>888-555-0100, or 888-555-0100</p><a href='tel:8885550100'>x</a>")
    await expect(page.locator("p")).to_have_text("888-555-0111, or 888-555-0111")
    assert await page.locator("a").get_attribute("href") == "tel:8885550111"


async def test_a_number_that_one_tag_shows_is_never_replaced_for_another(at: Stand) -> None:
    first = tag("+18885550111", number_to_replace="+18885550100")
    second = tag("+18885550122", tag_id="tag_2", number_to_replace="+18885550111")
    at.edge.tags = [first, second]
    page = await at.open("<p>888-555-0100</p>")
    await expect(page.locator("p")).to_have_text("888-555-0111")
    await page.evaluate("document.querySelector('p').append(', again 888-555-0100')")
    await expect(page.locator("p")).to_have_text("888-555-0111, again 888-555-0111")
