"""The example set-up works as it stands: the script makes what it says, and calls follow it."""

import asyncio
import os
from pathlib import Path

from tests.support.ports import own_address
from tests.support.scenario import ack, ack_refusal, bye, expect, invite, pause, provisional, sdp, written
from tests.support.server import ADMIN_TOKEN, running_server
from tests.support.sipp import call, sipp

SCRIPT = Path(__file__).parent.parent.parent / "config" / "example" / "set-up.sh"


async def run_script(url: str, **variables: str) -> tuple[int, str]:
    environment = {**os.environ, "EDGE_URL": url, "EDGE_TOKEN": ADMIN_TOKEN, **variables}
    process = await asyncio.create_subprocess_exec(
        "sh", str(SCRIPT), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_example_set_up_takes_calls(tmp_path: Path) -> None:
    carrier = own_address()
    async with running_server(tmp_path) as server, sipp(tmp_path, "answer") as buyer:
        variables = {"CARRIER": f"{carrier}/32", "BUYER": f"sip:sales@{buyer.address}"}
        code, said = await run_script(server.api.base, **variables)
        assert code == 0, said
        made = {line.split()[0]: line.split()[1] for line in said.splitlines()}
        assert set(made) == {"trunk", "target", "campaign", "number"}
        # Whatever the time is now: the call is to be taken.
        await server.api.patch(f"campaigns/{made['campaign']}", {"hours": {"active": False}})
        steps = (invite(sdp()), provisional(), expect(200), ack(), pause(0.1), bye())
        scenario = written(tmp_path, "caller", *steps)
        (await call(tmp_path, server.address(), "+18005550100", scenario, host=carrier)).check()
        (await buyer.result()).check()
        unknown = written(tmp_path, "unknown", invite(sdp()), provisional(), expect(404), ack_refusal())
        (await call(tmp_path, server.address(), "+18005550999", unknown, host=carrier)).check()


async def test_a_refused_object_stops_the_script_with_the_servers_words(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        code, said = await run_script(server.api.base, NUMBER="not a number")
    assert code != 0
    assert "e164" in said
