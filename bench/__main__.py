"""Measures the server and prints each figure beside its bound; a report, never a verdict.

The server runs on core 0, the load on core 1, as whole processes; every figure is the median of
several runs with its spread.  CPU per call falls and waiting rises under contention, so both are
shown, with what everybody else used of the machine and a fixed calibration beside.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import calls, engine, flood, pools, routing, signalling, snippet
from bench.load import Ends
from bench.proc import calibrate, first_among_groups, pin
from tests.support.ports import free_port, own_address
from tests.support.server import Server, running_server, simple_route

NUMBER = "+18005550100"
NO_LIMITS = {"EDGE_MEDIA__PORTS": "16384-32767", "EDGE_CALLS__MAX_CPS": "100000"}
WIDE_CAPS = [{"window": "day", "limit": 1_000_000}, {"window": "concurrency", "limit": 10_000}]
Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A line of the report: where its value is found, and the bound it is held against.

    A negative ``limit`` is one that is to be reached, not kept under.
    """

    name: str
    key: str
    bound: str
    limit: float


SIGNALLING_50 = [
    Figure("signalling CPU per bridged call at 50 calls/s, ms", "cpu_ms_per_call", "≤ 2.5", 2.5),
    Figure("  answer p99, ms", "answer_p99_ms", "", 0),
    Figure("  failed calls", "failed", "0", 0),
]
SIGNALLING_300 = [
    Figure("signalling CPU per bridged call at 300 calls/s, ms", "cpu_ms_per_call", "≤ 1.5", 1.5),
    Figure("  answer p99, ms", "answer_p99_ms", "≤ 50", 50),
    Figure("  failed calls", "failed", "0", 0),
    Figure("  retransmissions", "retransmissions", "", 0),
]
SIGNALLING_600 = [
    Figure("one core at 600 calls/s: answer p99, ms", "answer_p99_ms", "≤ 100", 100),
    Figure("  failed calls", "failed", "0", 0),
    Figure("  calls/s", "achieved_cps", "", 0),
    Figure("  signalling CPU per bridged call, ms", "cpu_ms_per_call", "", 0),
    Figure("  retransmissions", "retransmissions", "", 0),
]
FLOOD = [
    Figure("OPTIONS under 10,000 garbage datagrams/s: longest, ms", "options_max_ms", "≤ 100", 100),
    Figure("  p99, ms", "options_p99_ms", "", 0),
    Figure("  not answered", "options_unanswered", "0", 0),
    Figure("  live calls disturbed", "calls_disturbed", "0", 0),
    Figure("  loss of their audio, %", "loss_pct", "< 0.1", 0.1),
    Figure("  server's CPU, % of a core", "server_cpu_pct", "", 0),
]
TRANSIT = [
    Figure("INVITE in to INVITE out at 50 calls/s, p99, ms", "invite_p99_ms", "≤ 10", 10),
    Figure("  p50, ms", "invite_p50_ms", "", 0),
    Figure("  failed calls", "failed", "0", 0),
]
TRANSIT_CAPPED = [
    Figure("  the same with caps of number and target, p99, ms", "invite_p99_ms", "≤ 10", 10),
    Figure("  p50, ms", "invite_p50_ms", "", 0),
    Figure("  failed calls", "failed", "0", 0),
]
RELAY = [
    Figure("relayed packet at 500 calls, CPU, µs", "cpu_us_per_packet", "≤ 10", 10),
    Figure("  loss, %", "loss_pct", "< 0.1", 0.1),
    Figure("  added delay p99, ms", "delay_p99_ms", "≤ 3", 3),
    Figure("  calls up", "calls", "", 0),
]
MEMORY = [
    Figure("memory per bridged call, kB", "memory_kb_per_call", "≤ 60", 60),
    Figure("  of that no file's", "own_kb_per_call", "", 0),
]
ENGINE = [Figure("SIP engine without IO, per call, µs", "us_per_call", "≤ 150", 150)]
POOLS = [
    Figure("numbers given to visitors a second, beside 50 calls/s", "allocations_per_s", "≥ 500", -500),
    Figure("  p99, ms", "p99_ms", "≤ 25", 25),
    Figure("  p50, ms", "p50_ms", "", 0),
    Figure("  failed", "failed", "0", 0),
]
SNIPPET = [
    Figure("snippet: one pass over a page of 5,000 nodes, ms", "pass_ms", "≤ 15", 15),
    Figure("  size as served, bytes", "gzipped_bytes", "≤ 4000", 4000),
]


ROUTING = [
    Figure("snapshot of 100,000 numbers built, CPU, s", "build_s", "≤ 2", 2),
    Figure("  a decision, CPU, µs", "decision_us", "≤ 200", 200),
    Figure("  p99, µs", "decision_p99_us", "", 0),
    Figure("  an edit until the next call sees it, longest, ms", "edit_max_ms", "≤ 100", 100),
    Figure("  the loop's longest wait meanwhile, ms", "loop_wait_ms", "≤ 20", 20),
    Figure("  and while it does nothing, ms", "idle_wait_ms", "", 0),
]


class Report:
    """The table on the terminal, and every single run as a JSON line in ``--out``."""

    def __init__(self, out: str | None) -> None:
        self.console = Console()
        self.table = Table("figure", "median", "min … max", "runs", "bound", "", title="Edge, measured")
        self.out = Path(out) if out else None

    def add(self, figures: list[Figure], runs: Results) -> None:
        """One row a figure, out of the runs that have it."""
        for figure in figures:
            values = [run[figure.key] for run in runs if run.get(figure.key) is not None]
            if not values:
                self.table.add_row(figure.name, "–", "", "0", figure.bound, "not measured")
                continue
            middle = statistics.median(values)
            good = middle >= -figure.limit if figure.limit < 0 else middle <= figure.limit
            verdict = "" if not figure.bound else "met" if good else "MISSED"
            spread = f"{min(values):g} … {max(values):g}"
            self.table.add_row(figure.name, f"{middle:g}", spread, str(len(values)), figure.bound, verdict)

    def note(self, kind: str, run: dict[str, Any]) -> None:
        """A finished run: a line at once, so that a long bench is seen to move."""
        line = json.dumps({"kind": kind, **run})
        self.console.print(line, style="dim", highlight=False, soft_wrap=True)
        if self.out:
            with self.out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


@asynccontextmanager
async def server_under_load(ends: Ends, **overrides: str) -> AsyncIterator[Server]:
    """A fresh server, pinned, that bridges every call to ``ends.target``."""
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name:
        pin(0)  # inherited by the server
        async with running_server(Path(name), **NO_LIMITS, **overrides) as server:
            pin(1)
            first_among_groups(server.pid)
            host, port = ends.target
            await simple_route(server.api, caller_host=ends.caller[0], target=f"sip:buyer@{host}:{port}")
            yield server


def _ends() -> Ends:
    caller, target = own_address(), own_address()
    return Ends((caller, free_port(caller)), (target, free_port(target)), NUMBER)


async def measure_signalling(report: Report, rate: int, seconds: float, runs: int) -> Results:
    """SIPp at ``rate``; one server for all runs, after a short warm-up that is not counted."""
    ends, results = _ends(), []
    async with server_under_load(ends) as server:
        load = asyncio.to_thread
        await load(signalling.run, server.address(), server.pid, ends, min(rate, 50), 3)
        for _ in range(runs):
            before = calibrate()
            run = await load(signalling.run, server.address(), server.pid, ends, rate, seconds)
            results.append({**run, "calibration": before})
            report.note("signalling", results[-1])
    return results


async def measure_transit(report: Report, seconds: float, runs: int, *, capped: bool = False) -> Results:
    """INVITE transit at 50 calls/s; ``capped``: number and target have caps, so that the call waits for two
    reservations to be on disk."""
    ends, results = _ends(), []
    async with server_under_load(ends) as server:
        for kind in ("numbers", "targets") if capped else ():
            (made,) = (await server.api.get(kind))["items"]
            await server.api.patch(f"{kind}/{made['id']}", {"timezone": "UTC", "caps": WIDE_CAPS})
        for _ in range(runs):
            run = await calls.transit(server.sip["udp"], ends, 50, seconds)
            results.append({"capped": capped, **run})
            report.note("transit", results[-1])
    return results


async def measure_relay(report: Report, concurrent: int, seconds: float, runs: int) -> Results:
    """Relay and memory: a fresh server each run, since memory is compared with an empty one."""
    results = []
    for _ in range(runs):
        ends = _ends()
        async with server_under_load(ends) as server:
            run = await calls.relay(server.sip["udp"], server.pid, ends, concurrent, seconds)
            results.append({**run, "calibration": calibrate()})
            report.note("relay", results[-1])
    return results


async def measure_pools(report: Report, seconds: float, runs: int) -> Results:
    """600 page views a second beside 50 calls a second, on a fresh server."""
    ends, results = _ends(), []
    async with server_under_load(ends, **pools.OVERRIDES) as server:
        campaign = (await server.api.get("campaigns"))["items"][0]["id"]
        primary = (await server.api.get("numbers"))["items"][0]["id"]
        await pools.configure(server.api, campaign, primary)
        for _ in range(runs):
            run = await pools.run(server, ends, campaign, 600, seconds)
            results.append({**run, "calibration": calibrate()})
            report.note("pools", results[-1])
    return results


async def measure_flood(report: Report, seconds: float, runs: int) -> Results:
    """Garbage against a fresh server each run: bans of the last one would be in the way."""
    results = []
    for _ in range(runs):
        ends = _ends()
        async with server_under_load(ends) as server:
            run = await flood.flood(server.sip["udp"], server.pid, ends, 10_000, seconds)
            results.append({**run, "calibration": calibrate()})
            report.note("flood", results[-1])
    return results


def measure_engine(report: Report, runs: int) -> Results:
    """The replay of ``bench/engine.py``: a whole call through the SIP engine, no IO."""
    results: Results = [{"us_per_call": round(value, 1)} for value in engine.runs(2000, runs)]
    report.note("engine", {"runs": results, "calibration": calibrate()})
    return results


def measure_routing(report: Report, runs: int) -> Results:
    """Decisions and edits at 100,000 numbers, 1,000 campaigns and 2,000 targets (``bench/routing.py``)."""
    results: Results = []
    for _ in range(runs):
        results.append({**routing.run(), "calibration": calibrate()})
        report.note("routing", results[-1])
    return results


async def measure_snippet(report: Report, runs: int) -> Results:
    """Fresh pages in Chromium, which has processes enough for both cores."""
    results = await snippet.passes(runs)
    for run in results:
        report.note("snippet", {**run, "calibration": calibrate()})
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each")
    parser.add_argument(
        "--only",
        help="a comma list out of engine, routing, signalling, transit, relay, flood, pools, snippet",
    )
    parser.add_argument("--out", help="append every run to this file as a JSON line")
    return parser.parse_args()


async def _measure(report: Report, wanted: Callable[[str], bool], quick: bool) -> None:
    runs = 1 if quick else 3
    if wanted("engine"):
        report.add(ENGINE, measure_engine(report, 2 if quick else 5))
    if wanted("routing"):
        report.add(ROUTING, await asyncio.to_thread(measure_routing, report, runs))
    if wanted("snippet"):
        report.add(SNIPPET, await measure_snippet(report, 3 if quick else 9))
    if wanted("signalling"):
        report.add(SIGNALLING_50, await measure_signalling(report, 50, 8 if quick else 20, runs))
        report.add(SIGNALLING_300, await measure_signalling(report, 300, 8 if quick else 30, runs))
        report.add(SIGNALLING_600, await measure_signalling(report, 600, 8 if quick else 20, runs))
    if wanted("flood"):
        report.add(FLOOD, await measure_flood(report, 10, runs))
    if wanted("transit"):
        report.add(TRANSIT, await measure_transit(report, 6 if quick else 20, runs))
        report.add(TRANSIT_CAPPED, await measure_transit(report, 6 if quick else 20, runs, capped=True))
    if wanted("pools"):
        report.add(POOLS, await measure_pools(report, 6 if quick else 20, runs))
    if wanted("relay"):
        results = await measure_relay(report, 500, 5 if quick else 10, runs)
        report.add(RELAY + MEMORY, results)


def main() -> None:
    """``python -m bench``."""
    options = _arguments()
    report = Report(options.out)
    only = set(options.only.split(",")) if options.only else None
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    first = calibrate()
    asyncio.run(_measure(report, lambda name: only is None or name in only, options.quick))
    report.console.print(report.table)
    report.console.print(f"{machine}; calibration before {first}, after {calibrate()}")


if __name__ == "__main__":
    main()
