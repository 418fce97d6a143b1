"""One browser for all tests of this folder; two sites and a fresh profile for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.stand import Stand, chromium, stand

expect.set_options(timeout=15_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def at(browser: Browser) -> AsyncIterator[Stand]:
    async with stand(browser) as made:
        yield made
