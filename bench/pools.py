"""Number pools under load: visitors ask for numbers over HTTP at a steady rate while calls come and go."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bench import signalling
from bench.load import Ends
from bench.proc import Window, percentile
from tests.support.api import Api
from tests.support.server import Server

CONNECTIONS = 64
NUMBERS = 200
VISITORS = 2_000
OVERRIDES: Mapping[str, str] = {
    "EDGE_PUBLIC__ALLOCATIONS_PER_MINUTE": "1000000",
    "EDGE_PUBLIC__MAX_SHARE_PER_ADDRESS": "1",
}


async def configure(api: Api, campaign_id: str, primary_id: str) -> None:
    """A pool of ``NUMBERS`` behind the number that the bench calls."""
    pool = await api.post("pools", {"name": "bench"})
    for place in range(NUMBERS):
        await api.post("numbers", {"e164": f"+1800556{place:04d}", "pool_id": pool["id"]})
    names = {"campaign_id": campaign_id, "primary_number_id": primary_id, "pool_id": pool["id"]}
    tag = {"name": "bench", "number_to_replace": "+18005550100", "capture_user_data": True}
    await api.post("call-tracking-tags", {**tag, **names})


class _Browser:
    """One connection that asks for numbers, one request after the other."""

    def __init__(self, url: str, path: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._path = path
        self.misses = self.failed = 0

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self, visitor: str) -> None:
        """One page view."""
        body = json.dumps({"visitor_id": visitor, "page_url": f"https://shop.example/?utm_source={visitor}"})
        head = f"POST {self._path} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        status = await self._reader.readuntil(b"\r\n\r\n")
        length = int(status.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        answer = await self._reader.readexactly(length)
        self.failed += not status.startswith(b"HTTP/1.1 200")
        self.misses += b'"pool_miss": true' in answer or b'"pool_miss":true' in answer

    def close(self) -> None:
        self._writer.close()


async def run(server: Server, ends: Ends, campaign_id: str, rate: int, seconds: float) -> dict[str, Any]:
    """``rate`` page views a second of ``VISITORS`` visitors, and 50 calls a second meanwhile."""
    path = f"/t/{campaign_id}/numbers"
    free: asyncio.Queue[_Browser] = asyncio.Queue()
    browsers = [_Browser(server.api.base, path) for _ in range(CONNECTIONS)]
    for browser in browsers:
        await browser.open()
        free.put_nowait(browser)
    calls = asyncio.create_task(
        asyncio.to_thread(signalling.run, server.address(), server.pid, ends, 50, seconds + 2)
    )
    await asyncio.sleep(1)
    took: list[float] = []

    async def view(visitor: str, due: float) -> None:
        browser = await free.get()
        await browser.ask(visitor)
        took.append(time.perf_counter() - due)
        free.put_nowait(browser)

    chance, tasks = random.Random(1), []
    began = time.perf_counter()
    with Window(server.pid) as window:
        for index in range(int(rate * seconds)):
            due = began + index / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            visitor = f"visitor-{chance.randrange(VISITORS)}"
            tasks.append(asyncio.create_task(view(visitor, time.perf_counter())))
        await asyncio.gather(*tasks)
        loaded_s = time.perf_counter() - began
    called = await calls
    for browser in browsers:
        browser.close()
    return {
        "rate": rate,
        "allocations_per_s": round(len(took) / loaded_s, 1),
        "p50_ms": _ms(percentile(took, 50)),
        "p99_ms": _ms(percentile(took, 99)),
        "failed": sum(browser.failed for browser in browsers) + called["failed"],
        "misses": sum(browser.misses for browser in browsers),
        "server_cpu_pct": round(100 * window.cpu / loaded_s, 1),
        "calls": called["calls"],
        "answer_p99_ms": called["answer_p99_ms"],
        "others_pct": window.others_pct,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e3 * seconds, 2)
