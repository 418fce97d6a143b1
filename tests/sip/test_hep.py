"""Copies for a Homer collector: what a datagram says, and what happens when there are too many."""

import asyncio
import socket
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.sip import exporter as exporting
from edge.sip.events import Flow, Transport
from edge.sip.exporter import MAX_WAITING, Exporter
from edge.sip.hep import encode
from tests.support.homer import Homer, read
from tests.support.server import eventually

FLOW = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5080))


@pytest.mark.parametrize(
    ("transport", "local", "remote", "protocol"),
    [
        ("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5080), 17),
        ("tls", ("192.0.2.1", 5061), ("192.0.2.9", 40000), 6),
        ("tcp", ("2001:db8::1", 5060), ("2001:db8::2", 5080), 6),
    ],
)
def test_a_copy_says_what_went_where_and_when(
    transport: Transport, local: tuple[str, int], remote: tuple[str, int], protocol: int
) -> None:
    flow = Flow(transport, local, remote)
    came = read(encode("in", flow, 1_700_000_000.25, 7, b"OPTIONS sip:x SIP/2.0\r\n\r\n"))
    assert came == (remote, local, protocol, 1_700_000_000.25, 7, "OPTIONS sip:x SIP/2.0\r\n\r\n")
    went = read(encode("out", flow, 1_700_000_000.25, 7, b"x"))
    assert (went.source, went.target) == (local, remote)


async def test_copies_arrive_in_order_and_without_secrets() -> None:
    with Homer() as homer:
        async with Exporter((homer.host, homer.port), 3, SystemClock()) as exporter:
            seen: list[bytes] = []
            exporter.others = lambda direction, flow, data, call_id: seen.append(data)
            for number in range(300):
                exporter.note("in", FLOW, b"INFO %d\r\nAuthorization: 5ecret\r\n\r\n" % number, "id")
            await eventually(lambda: len(homer.copies) == 300)
            assert [copy.text.split()[1] for copy in homer.copies] == [str(n) for n in range(300)]
            assert "5ecret" not in "".join(copy.text for copy in homer.copies)
            assert (len(seen), exporter.sent, exporter.dropped) == (300, 300, 0)


async def test_a_collector_without_an_address_keeps_nobody_waiting_and_is_found_once_it_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, known = asyncio.get_running_loop(), dict[str, tuple[str, int]]()

    async def look_up(host: str, port: int, **_: int) -> list[Any]:
        if host not in known:
            raise OSError("no such name")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", known[host])]

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    monkeypatch.setattr(exporting, "LOOK_UP_S", 0.01)
    async with Exporter(("homer.test", 9060), 3, SystemClock()) as exporter:
        exporter.note("out", FLOW, b"lost", "id")
        assert (exporter.sent, exporter.dropped) == (0, 1)
        for number in range(2):  # and it may move
            with Homer() as homer:
                known["homer.test"] = (homer.host, homer.port)

                def arrives(homer: Homer = homer, number: int = number) -> bool:
                    exporter.note("out", FLOW, b"%d" % number, "id")
                    return any(copy.text == str(number) for copy in homer.copies)

                await eventually(arrives)


async def test_too_many_are_dropped_and_a_collector_that_is_away_harms_nobody() -> None:
    with Homer() as homer:
        where = homer.host, homer.port
    async with Exporter(where, 3, SystemClock()) as exporter:
        for _ in range(MAX_WAITING + 10):
            exporter.note("out", FLOW, b"x", "id")
        assert exporter.dropped == 10
        await eventually(lambda: exporter.sent + exporter.dropped == MAX_WAITING + 10)


async def test_what_is_no_name_keeps_nobody_from_starting() -> None:
    async with Exporter(("homer..test", 9060), 3, SystemClock()) as exporter:
        exporter.note("out", FLOW, b"x", "id")
        assert exporter.dropped == 1
