"""``edge export``, ``diff`` and ``apply`` against real servers: from one to another, and back in time."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.server import ADMIN_TOKEN, Server, running_server
from tests.support.wav import wav_bytes

TONE = wav_bytes(np.full(1600, 9000, np.int16))
SECRET = "hush-hush-4711"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


async def edge(server: Server, *arguments: str, **variables: str) -> Ran:
    """The command line beside a server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_")}
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("edge")), *arguments),
        env={**own, "EDGE_URL": server.api.base, "EDGE_TOKEN": ADMIN_TOKEN, **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def fill(server: Server) -> None:
    api = server.api
    trunk = {"name": "Carrier", "username": "edge", "password": SECRET, "proxy": "sip:c.example"}
    await api.post("trunks", trunk)
    target = await api.post("targets", {"name": "Desk", "address": "sip:d@192.0.2.1"})
    greeting = await api.upload_prompt("Greeting", TONE)
    hours = {"timezone": "America/New_York", "weekly": {"mon": [["09:00", "17:00"]]}}
    campaign = await api.post(
        "campaigns",
        {
            "name": "Spring: über & out",
            "hours": hours,
            "routes": {"targets": [{"target_id": target["id"]}]},
            "prompts": {"greeting_prompt_id": greeting["id"]},
        },
    )
    for digits in ("+18005550100", "+18005550101"):
        made = await api.post("numbers", {"e164": digits, "campaign_id": campaign["id"], "tags": {"a": "1"}})
    await api.post(f"numbers/{made['id']}/settings/routes/unlock", {})


async def test_a_set_up_moves_to_another_server_and_back_in_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    file = tmp_path / "setup.yaml"
    async with running_server(one) as old, running_server(two) as new:
        await fill(old)
        exported = await edge(old, "export")
        assert exported.code == 0 and SECRET not in exported.out
        file.write_text(exported.out.replace("password: {set: true}", "password: {env: TRUNK_PASSWORD}"))
        refused = await edge(new, "apply", str(file))
        assert refused.code == 2 and "nothing was changed" in refused.err
        line = exported.out.splitlines().index("trunks:") + 2
        wanted = f"{file}:{line}: trunks[0].password: the environment variable TRUNK_PASSWORD is not set"
        assert wanted in refused.err
        assert "no audio of this hash" in refused.err
        await new.api.upload_prompt("The same", TONE)
        # This one is not empty any more: what another server exported is stale for it.
        file.write_text("".join(li for li in file.read_text().splitlines(True) if not li.startswith("base:")))
        applied = await edge(new, "apply", str(file), "--prune", TRUNK_PASSWORD=SECRET)
        assert applied.code == 0, applied.err
        assert SECRET not in applied.out + applied.err
        assert (await edge(new, "export")).out == exported.out
        assert SECRET not in new.log_path.read_text() and SECRET not in str(await new.api.get("audit"))
        await round_trip(old, file, exported.out)


async def round_trip(server: Server, file: Path, before: str) -> None:
    """Edit, diff, dry run, apply, restore."""
    version = (await server.api.get("setup/versions"))["items"][0]["version"]
    file.write_text(before.replace('"Spring: über & out"', "Summer").replace("sip:d@", "sip:e@"))
    told = await edge(server, "diff", str(file))
    assert told.code == 0
    assert '    name: "Spring: über & out" -> "Summer"\n' in told.out
    assert "2 changed; nothing was written" in told.out
    done = await edge(server, "apply", str(file))
    assert done.code == 0 and f"the set-up has version {version + 1} now" in done.out
    assert (await edge(server, "export")).out == file.read_text(), "the file has the new base"
    await server.api.post(f"setup/versions/{version}/restore", {})
    assert (await edge(server, "export")).out == before
    stale = await edge(server, "apply", str(file))
    assert stale.code == 1 and "export again" in stale.err
