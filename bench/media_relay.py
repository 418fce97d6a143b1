"""Media alone, without SIP: CPU per relayed packet, and per call set-up and take-down.

``python -m bench.media_relay [--calls 500] [--seconds 5] [--repeat 3]``; the worker on core 0, the load on
core 1, the worker's CPU time from /proc.  ``make bench`` measures the same through the whole server.
"""

import argparse
import asyncio
import os
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.blast import Blast, media_socket
from bench.proc import calibrate, first_among_groups, pin
from edge.clock import SystemClock
from edge.media.engine import MediaCall, MediaLeg, Plan
from edge.media.local import LocalConfig, LocalEngine

SERVER, CALLER, TARGET = "127.88.0.1", "127.88.0.2", "127.88.0.3"


def _cpu_s(pids: list[int]) -> float:
    """Seconds, to the nanosecond where the scheduler tells."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def _plan(remote: tuple[str, int]) -> Plan:
    return Plan(remote, payloads={0: 0, 101: 101}, event_payload=101, play_codec="PCMU")


def _bridged(call: MediaCall, a: tuple[str, int], b: tuple[str, int]) -> tuple[MediaLeg, MediaLeg]:
    first, second = call.leg(), call.leg()
    first.update(_plan(a))
    second.update(_plan(b))
    call.bridge(first, second)
    return first, second


async def relay(engine: LocalEngine, calls: int, seconds: float) -> dict[str, Any]:
    """Both ends of every call send 50 packets a second."""
    with closing(media_socket(CALLER)) as caller, closing(media_socket(TARGET)) as target:
        ends = caller.getsockname(), target.getsockname()
        media, legs = [], []
        for _ in range(calls):
            media.append(engine.call())
            legs.append(_bridged(media[-1], *ends))
            await asyncio.sleep(0.002)
        sides = [
            (caller, [(SERVER, first.port) for first, _ in legs]),
            (target, [(SERVER, second.port) for _, second in legs]),
        ]
        blast = Blast(sides)
        await asyncio.to_thread(blast.run, 0.5)
        before = _cpu_s(engine.worker_pids)
        result = await asyncio.to_thread(blast.run, seconds)
        used = _cpu_s(engine.worker_pids) - before
        counted = await asyncio.gather(*(call.finish() for call in media))
        strays = sum(leg.strays for call in counted for leg in call.values())
    return result | {"cpu_us_per_packet": round(1e6 * used / result["received"], 2), "strays": strays}


async def set_up(engine: LocalEngine, rate: int, seconds: float) -> dict[str, Any]:
    """Calls as the signalling makes them, without packets: both processes' CPU per call."""
    before, own, failed, made = _cpu_s(engine.worker_pids), time.process_time(), 0, 0
    tasks = []
    next_at = time.monotonic()
    for _ in range(int(rate * seconds)):
        next_at += 1 / rate
        await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        tasks.append(asyncio.create_task(_one_call(engine)))
        made += 1
    failed = sum(not counters for counters in await asyncio.gather(*tasks))
    used = _cpu_s(engine.worker_pids) - before
    own = time.process_time() - own
    return {
        "worker_us_per_call": round(1e6 * used / made),
        "main_us_per_call": round(1e6 * own / made),
        "failed": failed,
    }


async def _one_call(engine: LocalEngine) -> object:
    with engine.call() as call:
        a = call.leg()
        a.update(_plan((CALLER, 4000)))
        await asyncio.sleep(0.01)
        b = call.leg()
        b.update(Plan(None))
        await asyncio.sleep(0.01)
        b.update(_plan((TARGET, 4000)))
        call.bridge(a, b)
        await asyncio.sleep(0.05)
        return await call.finish()


async def _main(calls: int, seconds: float, repeat: int) -> None:
    config = LocalConfig(20000, 29999, SERVER, bind_host=SERVER, workers=1, stock=512, quarantine_s=1)
    async with LocalEngine(config, SystemClock()) as engine:
        for pid in engine.worker_pids:
            os.sched_setaffinity(pid, {0})
            first_among_groups(pid)
        first_among_groups(os.getpid())
        pin(1)
        print("calibration", calibrate())
        print("set-up", await set_up(engine, 300, 3))
        runs = []
        for _ in range(repeat):
            runs.append(await relay(engine, calls, seconds))
            print("relay", runs[-1])
        print("median µs per packet", statistics.median(run["cpu_us_per_packet"] for run in runs))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    asyncio.run(_main(chosen.calls, chosen.seconds, chosen.repeat))


if __name__ == "__main__":
    main()
