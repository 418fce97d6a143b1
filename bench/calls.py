"""Runs with calls of our own: INVITE transit on kernel time stamps, relayed packets, memory."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from bench.blast import Blast, media_socket
from bench.load import Ends
from bench.proc import Window, memory_kb, percentile
from bench.ua import Address, Agent, Leg


def caller_number(index: int) -> str:
    """A caller for each call, so that both sides of the server can be matched by it."""
    return f"+1212{5550000 + index:07d}"


async def _place(agent: Agent, server: Address, number: str, calls: int, rate: float) -> list[Leg]:
    """``calls`` calls, ``rate`` a second; returns when each is up or has failed."""
    began, tasks = time.monotonic(), []
    for index in range(calls):
        tasks.append(asyncio.create_task(agent.call(server, number, caller_number(index))))
        await asyncio.sleep(max(0.0, began + (index + 1) / rate - time.monotonic()))
    return list(await asyncio.gather(*tasks))


async def transit(server: Address, ends: Ends, rate: float, duration_s: float) -> dict[str, Any]:
    """INVITE in -> INVITE out in ms at ``rate`` calls a second.

    From just before the caller's ``sendto`` to the kernel's time stamp at the target: the network
    stack of both hops is in it, the load's own scheduling is not.
    """
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(Agent(*ends.caller, lambda n: 30000))
        target = await stack.enter_async_context(Agent(*ends.target, lambda n: 40000))
        calls = int(rate * duration_s)

        async def one(index: int) -> tuple[str, Leg]:
            leg = await caller.call(server, ends.number, caller_number(index))
            if leg.state == "up":
                await asyncio.sleep(0.5)
                await caller.hang_up(leg)
            return caller_number(index), leg

        began, tasks = time.monotonic(), []
        for index in range(calls):
            tasks.append(asyncio.create_task(one(index)))
            await asyncio.sleep(max(0.0, began + (index + 1) / rate - time.monotonic()))
        made = await asyncio.gather(*tasks)
    return _transit_result(target, made, rate)


def _transit_result(target: Agent, made: Sequence[tuple[str, Leg]], rate: float) -> dict[str, Any]:
    passed = [
        (target.arrived_ns[caller] - leg.sent_ns) / 1e6 for caller, leg in made if caller in target.arrived_ns
    ]
    answered = [(leg.answered_ns - leg.sent_ns) / 1e6 for _, leg in made if leg.answered_ns]
    return {
        "rate": rate,
        "calls": len(made),
        "failed": sum(leg.state != "up" for _, leg in made),
        "invite_p50_ms": _round(percentile(passed, 50)),
        "invite_p99_ms": _round(percentile(passed, 99)),
        "answer_p99_ms": _round(percentile(answered, 99)),
        "errors": target.errors[:3],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


async def relay(
    server: Address, pid: int, ends: Ends, calls: int, seconds: float, rate: float = 40
) -> dict[str, Any]:
    """Many calls at once with RTP both ways: CPU a packet, loss, delay, memory a call."""
    async with AsyncExitStack() as stack:
        near, far = media_socket(ends.caller[0]), media_socket(ends.target[0])
        stack.callback(near.close)
        stack.callback(far.close)
        caller = await stack.enter_async_context(Agent(*ends.caller, lambda n: near.getsockname()[1]))
        target = await stack.enter_async_context(Agent(*ends.target, lambda n: far.getsockname()[1]))
        await _warm(caller, server, ends.number)
        empty = memory_kb(pid)
        legs = await _place(caller, server, ends.number, calls, rate)
        up = [leg for leg in legs if leg.state == "up"]
        answered = [leg for leg in target.legs.values() if leg.state == "up"]
        blast = Blast([(near, _remotes(up)), (far, _remotes(answered))])
        await asyncio.to_thread(blast.run, 2.0)
        with Window(pid) as window:
            measured = await asyncio.to_thread(blast.run, seconds)
        full = memory_kb(pid)
        await asyncio.gather(*(caller.hang_up(leg) for leg in up))
    return {
        "calls": len(up),
        "failed": len(legs) - len(up),
        **measured,
        "cpu_us_per_packet": round(1e6 * window.cpu / max(1, measured["received"]), 2),
        "memory_kb_per_call": round((full.all - empty.all) / max(1, len(up)), 1),
        "own_kb_per_call": round((full.own - empty.own) / max(1, len(up)), 1),
        "memory_mb_empty": round(empty.all / 1024, 1),
        "others_pct": window.others_pct,
        "steal_pct": window.steal_pct,
        "errors": caller.errors[:3] + target.errors[:3],
    }


async def _warm(caller: Agent, server: Address, number: str) -> None:
    """Twenty calls one after another: everything is loaded, little is grown."""
    for _ in range(20):
        leg = await caller.call(server, number, caller_number(9999))
        if leg.state == "up":
            await caller.hang_up(leg)
    await asyncio.sleep(1)


def _remotes(legs: Sequence[Leg]) -> list[Address]:
    return [leg.remote for leg in legs if leg.remote is not None]
