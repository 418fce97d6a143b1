"""The demo's server: ``edge serve`` as a process of its own, on free loopback ports."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge.commands.failure import CommandFailed

HOST = "127.0.0.1"
_START_S = 30.0
_STOP_S = 15.0
_LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its API's address, an admin token, its SIP host:port over UDP."""

    url: str
    token: str
    sip: str


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Server]:
    """Everything it keeps is in ``directory``; it has ended when the block is left."""
    ready, log = directory / "ready.json", directory / "server.log"
    token = secrets.token_urlsafe(24)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from edge.cli import main; main()", "serve", "--ready-file", str(ready)),
            env=environment(directory, token),
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is for the demo, which ends the server when its calls are over.
            start_new_session=True,
        )
    try:
        addresses = await _ready(process, ready, log)
        sip = next(urlsplit(uri) for uri in addresses["sip"] if uri.startswith("udp:"))
        yield Server(str(addresses["admin"]), token, sip.netloc)
    finally:
        await _stop(process)


def environment(directory: Path, token: str) -> dict[str, str]:
    """Of a server that keeps everything in ``directory``: ours, less any server's settings in it."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("EDGE_")},
        "EDGE_ADMIN_TOKEN": token,
        "EDGE_DATA_DIR": str(directory / "data"),
        "EDGE_SIP__LISTEN": json.dumps([f"udp://{HOST}:0"]),
        "EDGE_ADMIN__LISTEN": f"{HOST}:0",
        # Wide enough for several demos at once: each binds some hundred of them ahead, at random.
        "EDGE_MEDIA__PORTS": "20000-31999",
        "EDGE_MEDIA__WORKERS": "1",
    }


async def _ready(process: asyncio.subprocess.Process, ready: Path, log: Path) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_START_S):
            while (addresses := _addresses(ready)) is None:
                if process.returncode is not None:
                    raise CommandFailed(f"the demo's server did not start:\n{_tail(log)}")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandFailed(f"the demo's server was not ready in {_START_S:.0f} s:\n{_tail(log)}") from None
    return addresses


def _addresses(ready: Path) -> dict[str, Any] | None:
    """Written whole, when the server takes calls."""
    if not ready.exists():
        return None
    addresses: dict[str, Any] = json.loads(ready.read_text("utf-8"))
    return addresses


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:])


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
