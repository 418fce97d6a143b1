"""Memory over many calls: ``python -m tests.memory.run [--calls 100000] [--rate 300]``.

Calls come and go at a steady rate; after each tenth of them the memory of all processes of the server is
taken (but that of files, once nothing of the calls is left but their records).  The first two tenths fill
tables and pools; from there on it must be flat.  Exit 1 if it grew by more than ``GROWTH_KB``, or if
anything of the calls is left at the end.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench import signalling
from bench.load import Ends
from bench.proc import first_among_groups, memory_kb, pin
from tests.support.ports import free_port, own_address
from tests.support.server import Server, eventually, running_server, simple_route

NUMBER = "+18005550100"
GROWTH_KB = 8 * 1024
"""What may be added from the second tenth to the last: less than 100 bytes a call of 100,000."""
REST_S = 40.0
"""Seconds after which no transaction of a call is left (64*T1, and a little)."""
NO_LIMITS = {
    "EDGE_CALLS__MAX_CPS": "100000",
    "EDGE_CALLS__MAX_LIVE": "100000",
    "EDGE_MEDIA__PORTS": "16384-32767",
}
LEFT = ("edge_calls_live", "edge_sip_transactions", "edge_sip_dialogs")


async def left(server: Server) -> dict[str, float]:
    """What is there of calls now, by metric."""
    return {name: await server.api.metric(name) for name in LEFT}


async def rested(server: Server) -> int:
    """The server's memory in kB once its calls are gone for good."""

    async def is_at_rest() -> bool:
        return not any((await left(server)).values())

    await eventually(is_at_rest, REST_S + 30)
    return memory_kb(server.pid).own


async def campaign(calls: int, rate: int) -> int:
    """All of it, printed; the exit code."""
    caller, target = own_address(), own_address()
    ends = Ends((caller, free_port(caller)), (target, free_port(target)), NUMBER)
    failed, sizes = 0, []
    with tempfile.TemporaryDirectory(prefix="edge-memory-") as name:
        pin(0)
        async with running_server(Path(name), **NO_LIMITS) as server:
            pin(1)
            first_among_groups(server.pid)
            host, port = ends.target
            await simple_route(server.api, caller_host=caller, target=f"sip:b@{host}:{port}")
            for _ in range(10):
                seconds = calls / 10 / rate
                run = await asyncio.to_thread(
                    signalling.run, server.address(), server.pid, ends, rate, seconds
                )
                failed += run["failed"]
                sizes.append(await rested(server))
                print(
                    {"calls": len(sizes) * calls // 10, "failed": failed, "memory_kb": sizes[-1]}, flush=True
                )
            print(await left(server))
    growth = sizes[-1] - sizes[1]
    print(f"from the second tenth to the last: {growth} kB ({GROWTH_KB} kB are allowed)")
    return 0 if growth <= GROWTH_KB else 1


def main() -> int:
    """The command line."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--calls", type=int, default=100_000)
    parse.add_argument("--rate", type=int, default=300, help="calls a second")
    args = parse.parse_args()
    return asyncio.run(campaign(args.calls, args.rate))


if __name__ == "__main__":
    sys.exit(main())
