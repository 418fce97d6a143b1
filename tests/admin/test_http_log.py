"""What clients of the HTTP listeners do wrong: little of it is in the log."""

import asyncio
import logging

import pytest

from edge.admin.app import Applications
from edge.admin.listener import Listener
from edge.logs import Sparing
from tests.admin.conftest import ANYWHERE

POST = b"POST /t/cmp_1/numbers HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nx"


async def _answer(listener: Listener, said: bytes, *, ends: bool) -> None:
    reader, writer = await asyncio.open_connection(*listener.addresses[0])
    writer.write(said)
    if ends:
        await reader.read(1)
    else:
        await writer.drain()
        while not listener.connections:
            await asyncio.sleep(0.01)
    writer.transport.abort()


async def test_who_leaves_in_the_middle_of_a_body_is_no_error(
    applications: Applications, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with Listener(applications.public, ANYWHERE) as listener, asyncio.timeout(60):
        for _ in range(3):
            await _answer(listener, POST, ends=False)
            while listener.connections:
                await asyncio.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == []


async def test_of_malformed_requests_few_are_written(
    applications: Applications, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with Listener(applications.public, ANYWHERE) as listener, asyncio.timeout(60):
        for _ in range(5 * Sparing.PER_SECOND):
            await _answer(listener, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", ends=True)
    lines = [record.getMessage() for record in caplog.records]
    assert lines and all(line.startswith("malformed HTTP request") for line in lines)
    assert len(lines) <= 3 * Sparing.PER_SECOND
