"""Targets by name: real calls that find their way over SRV records and past servers that fail."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from socket import SOCK_DGRAM

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, World
from tests.support.dns_server import Zone, dns_server
from tests.support.ports import free_port, own_address
from tests.support.scenario import ack_refusal, answer, arrives, called, expect, invite, sdp
from tests.support.server import running_server

PATIENCE_S = 5.0
"""Given to an address that says nothing, not even by ICMP."""


@asynccontextmanager
async def world(directory: Path, zone: Zone) -> AsyncIterator[World]:
    """A server that asks a DNS server of this zone."""
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(dns_server(zone))
        servers = json.dumps([names.address])
        running = running_server(directory, EDGE_SIP__DNS_SERVERS=servers)
        server = await stack.enter_async_context(running)
        yield World(server, directory, stack)


async def test_a_call_goes_past_a_closed_port_and_a_full_server_to_the_one_that_works(tmp_path: Path) -> None:
    zone: dict[tuple[str, str], list[str]] = {}
    async with world(tmp_path, zone) as here:
        works = await here.target(*TAKES_THE_CALL, calls=2)
        full = await here.target(called(), answer(503), arrives("ACK"))
        closed = own_address()
        for name, host in (("works", works.host), ("full", full.host), ("closed", closed)):
            zone[f"{name}.example", "A"] = [host]
        port = free_port(closed, SOCK_DGRAM)
        zone["_sip._udp.buyer.example", "SRV"] = [
            f"10 1 {port} closed.example.",
            f"20 1 {full.port} full.example.",
            f"30 1 {works.port} works.example.",
        ]
        line = await here.line("buyer.example")
        (await line.call(*CALLS)).check()
        (await line.call(*CALLS)).check()
        (await works.result()).check(2)
        (await full.result()).check()
        records = await line.records(2)
        trace = (await here.server.api.get(f"calls/{records[0]['id']}/trace"))["items"]
    assert [record["disposition"] for record in records] == ["connected", "connected"]
    assert [len(record["attempts"]) for record in records] == [1, 1]
    sent = [
        line["at_s"] for line in trace if line["direction"] == "out" and line["message"].startswith("INVITE ")
    ]
    assert sent[1] - sent[0] < PATIENCE_S, "the closed port was waited for"


async def test_over_tcp_a_call_goes_past_a_closed_port_and_a_server_that_hangs_up_in_its_middle(
    tmp_path: Path,
) -> None:
    zone: dict[tuple[str, str], list[str]] = {}

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with world(tmp_path, zone) as here:
        works = await here.target(*TAKES_THE_CALL, transport="tcp", calls=1)
        closed, hangs = own_address(), own_address()
        async with await asyncio.start_server(hang_up, hangs, 0) as broken:
            for name, host in (("works", works.host), ("hangs", hangs), ("closed", closed)):
                zone[f"{name}.example", "A"] = [host]
            zone["_sip._tcp.buyer.example", "SRV"] = [
                f"10 1 {free_port(closed)} closed.example.",
                f"20 1 {broken.sockets[0].getsockname()[1]} hangs.example.",
                f"30 1 {works.port} works.example.",
            ]
            line = await here.line("buyer.example;transport=tcp")
            (await line.call(*CALLS)).check()
            (await works.result()).check()
            record = await line.record()
            trace = (await here.server.api.get(f"calls/{record['id']}/trace"))["items"]
    assert record["disposition"] == "connected" and len(record["attempts"]) == 1
    sent = [at for at in trace if at["direction"] == "out" and at["message"].startswith("INVITE ")]
    assert sent[-1]["at_s"] - sent[0]["at_s"] < PATIENCE_S, "one that could not be reached was waited for"


async def test_over_tcp_a_server_that_takes_the_connection_and_says_nothing_gives_way(tmp_path: Path) -> None:
    zone: dict[tuple[str, str], list[str]] = {}
    over = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.transport.abort()

    async with world(tmp_path, zone) as here:
        works, silent = await here.target(*TAKES_THE_CALL, transport="tcp", calls=2), own_address()
        async with await asyncio.start_server(say_nothing, silent, 0) as mute:
            zone["works.example", "A"], zone["silent.example", "A"] = [works.host], [silent]
            zone["_sip._tcp.buyer.example", "SRV"] = [
                f"10 1 {mute.sockets[0].getsockname()[1]} silent.example.",
                f"20 1 {works.port} works.example.",
            ]
            line = await here.line("buyer.example;transport=tcp")
            for _ in range(2):
                (await line.call(*CALLS)).check()
            (await works.result()).check(2)
            first, second = await line.records(2)
            trace = (await here.server.api.get(f"calls/{second['id']}/trace"))["items"]
            over.set()
    assert [record["disposition"] for record in (first, second)] == ["connected", "connected"]
    asked = [at for at in trace if at["direction"] == "out" and at["message"].startswith("INVITE ")]
    assert len(asked) == 1, "the next call asks it last"


async def test_a_name_that_is_not_there_leaves_the_target_unreachable(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as here:
        line = await here.line("nobody.example")
        (await line.call(invite(sdp()), expect(100), expect(480), ack_refusal())).check()
        record = await line.record()
    (attempt,) = record["attempts"]
    assert (attempt["outcome"], "no such name" in attempt["reason"]) == ("unreachable", True)
