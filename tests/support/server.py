"""The real server as a process of its own: ``edge serve`` on free loopback ports."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.support.api import Api, Json
from tests.support.ports import free_port, own_address

ADMIN_TOKEN = "the-token-of-the-tests"
T = TypeVar("T")


class ServerFailed(Exception):
    """The server did not come up, or ended when it should not; the text quotes its log."""


@dataclass
class Server:
    """A running server: its process, its addresses and a client of its API."""

    process: asyncio.subprocess.Process
    directory: Path
    sip: Mapping[str, tuple[str, int]]
    api: Api
    log_path: Path
    _seen: int = field(default=0)

    @property
    def pid(self) -> int:
        """The main process; media workers are its children."""
        return self.process.pid

    def address(self, transport: str = "udp") -> str:
        """``host:port`` of a SIP listener."""
        host, port = self.sip[transport]
        return f"{host}:{port}"

    def log(self) -> list[Json]:
        """The log so far, a dictionary a line (a line that is no JSON comes as ``text``)."""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [_log_line(line) for line in lines if line.strip()]

    def kill(self) -> None:
        """``kill -9`` of the main process, as a crash."""
        self.process.send_signal(signal.SIGKILL)

    async def stop(self, limit_s: float = 60) -> int:
        """SIGTERM, and the exit code."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), limit_s)


def _log_line(line: str) -> Json:
    try:
        parsed = json.loads(line)
    except ValueError:
        return {"text": line}
    return parsed if isinstance(parsed, dict) else {"text": line}


def settings(directory: Path, host: str, overrides: Mapping[str, str]) -> dict[str, str]:
    """The environment of a test server: everything in one directory and on one loopback address."""
    first = free_port(host) // 512 * 512 % 30000 + 20480
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("EDGE_")},
        "EDGE_ADMIN_TOKEN": ADMIN_TOKEN,
        "EDGE_DATA_DIR": str(directory / "data"),
        "EDGE_SIP__LISTEN": json.dumps([f"udp://{host}:0", f"tcp://{host}:0"]),
        "EDGE_ADMIN__LISTEN": f"{host}:0",
        "EDGE_MEDIA__PORTS": f"{first}-{first + 2047}",
        "EDGE_MEDIA__WORKERS": "1",
        **overrides,
    }


async def _addresses(process: asyncio.subprocess.Process, ready: Path, log: Path) -> Json:
    async with asyncio.timeout(90):  # a second or two, where nothing else wants the cores
        while not ready.exists():
            if process.returncode is not None:
                words = log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise ServerFailed(f"exit code {process.returncode}:\n{words}")
            await asyncio.sleep(0.01)
    found: Json = json.loads(ready.read_text(encoding="utf-8"))
    return found


@asynccontextmanager
async def running_server(directory: Path, **overrides: str) -> AsyncIterator[Server]:
    """A server that takes calls, ended after the block; ``overrides`` are ``EDGE_`` variables.

    Start it twice with the same directory to see a restart on the same data.
    """
    host = own_address()
    ready, log_path = directory / "ready.json", directory / "server.log"
    ready.unlink(missing_ok=True)
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("edge")), "serve", "--ready-file", str(ready)),
            env=settings(directory, host, overrides),
            cwd=directory,
            start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        found = await _addresses(process, ready, log_path)
        sip = {urlsplit(u).scheme: (str(urlsplit(u).hostname), urlsplit(u).port or 0) for u in found["sip"]}
        async with Api(found["admin"], ADMIN_TOKEN) as api:
            yield Server(process, directory, sip, api, log_path)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def flawless_server(directory: Path, **overrides: str) -> AsyncIterator[Server]:
    """The same, for a module's tests: in the end it must still run, and its log tell of no exception."""
    async with running_server(directory, **overrides) as server:
        yield server
        assert server.process.returncode is None
        assert not [line for line in server.log() if "exception" in line or "Traceback" in str(line)]


async def finished(api: Api, count: int = 1, limit_s: float = 30, **filters: str) -> list[Json]:
    """The calls that these filters find and that are over, oldest first, once there are ``count``."""

    async def look() -> list[Json] | None:
        items = (await api.get("calls", **filters))["items"]
        over = [item for item in items if item["ended_at"]]
        assert len(over) <= count, f"{len(over)} calls"
        return sorted(over, key=lambda item: str(item["started_at"])) if len(over) == count else None

    found: list[Json] = await eventually(look, limit_s)
    return found


async def eventually(look: Callable[[], Any], limit_s: float = 30) -> Any:
    """Asks again (every 20 ms) until ``look`` answers something true; raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while True:
            found = look()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.02)


async def simple_route(api: Api, *, caller_host: str, target: str, **number: Any) -> Json:
    """The least that takes a call: a trunk by address, a campaign with one target, a number."""
    await api.post("trunks", {"name": "carrier", "addresses": [f"{caller_host}/32"]})
    made = await api.post("targets", {"name": "buyer", "address": target})
    routes = {"targets": [{"target_id": made["id"]}]}
    campaign = await api.post("campaigns", {"name": "campaign", "routes": routes})
    body = {"e164": "+18005550100", "campaign_id": campaign["id"], **number}
    return {"target": made, "campaign": campaign, "number": await api.post("numbers", body)}
