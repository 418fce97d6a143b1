"""SIPp as caller and callee, with our own scenarios; a failure quotes what SIPp saw."""

import asyncio
import csv
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_DGRAM, SOCK_STREAM
from typing import Any

from tests.support.ports import free_media_ports, free_port, own_address, until_bound

SCENARIOS = Path(__file__).parent.parent / "integration" / "sipp"
_runs = itertools.count(1)


@dataclass(frozen=True)
class Result:
    """What a SIPp run counted; ``errors`` and ``messages`` are its own words."""

    exit_code: int
    calls_ok: int
    calls_failed: int
    retransmissions: int
    errors: str
    messages: str

    def check(self, calls: int = 1) -> None:
        """Raises AssertionError, quoting SIPp, unless ``calls`` succeeded and none failed."""
        good = (self.calls_ok, self.calls_failed) == (calls, 0)
        assert good, f"{self.calls_ok} ok, {self.calls_failed} failed\n{self.errors}\n{self.messages[-8000:]}"


@dataclass
class Sipp:
    """One SIPp process at ``host:port``."""

    process: asyncio.subprocess.Process
    directory: Path
    host: str
    port: int

    @property
    def address(self) -> str:
        """Where it sends from and listens."""
        return f"{self.host}:{self.port}"

    async def result(self, limit_s: float = 30) -> Result:
        """Waits for its last call; raises TimeoutError, quoting SIPp."""
        try:
            code = await asyncio.wait_for(self.process.wait(), limit_s)
        except TimeoutError:
            raise TimeoutError(f"SIPp still waits after {limit_s} s\n{self._text('messages')}") from None
        return self._counted(code)

    def _text(self, name: str) -> str:
        path = self.directory / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _counted(self, code: int) -> Result:
        rows = list(csv.reader(self._text("statistics").splitlines(), delimiter=";"))
        last = dict(zip(rows[0], rows[-1], strict=False)) if len(rows) > 1 else {}
        words = self._text("errors") + self._text("output")
        ok, failed, again = (
            int(last.get(f"{name}(C)") or 0) for name in ("SuccessfulCall", "FailedCall", "Retransmissions")
        )
        return Result(code, ok, failed, again, errors=words, messages=self._text("messages"))


@asynccontextmanager
async def sipp(
    directory: Path,
    scenario: str,
    *arguments: str,
    host: str | None = None,
    calls: int = 1,
    transport: str = "udp",
    keys: Mapping[str, str] | None = None,
    limit_s: float = 60,
) -> AsyncIterator[Sipp]:
    """A running SIPp on a free port, ended after the block; ready when it is bound.

    ``scenario`` names a file of ``tests/integration/sipp``; ``keys`` fill its ``[keywords]``.
    """
    host = host or own_address()
    port = free_port(host, SOCK_DGRAM if transport == "udp" else SOCK_STREAM)
    where = directory / f"sipp-{next(_runs)}-{Path(scenario).name}"
    where.mkdir(parents=True)
    filled = [part for name, value in (keys or {}).items() for part in ("-key", name, value)]
    media = free_media_ports(host)
    command = [
        *("sipp", *arguments, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", host, "-p", str(port)),
        *("-mi", host, "-mp", str(media), "-t", "u1" if transport == "udp" else "t1"),
        *("-m", str(calls), "-timeout", f"{limit_s:.0f}s", "-timeout_error", "-nostdin", "-nd"),
        *("-default_behaviors", "all,-bye", "-trace_stat", "-fd", "1", "-stf", "statistics"),
        *("-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages", *filled),
    ]
    with (where / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=where, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield await _started(Sipp(process, where, host, port), transport)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _started(run: Sipp, transport: str) -> Sipp:
    """A caller over UDP may be done before we look; one over TCP listens nowhere."""
    bound = asyncio.create_task(until_bound(run.host, run.port, transport, limit_s=30))
    ended = asyncio.create_task(run.process.wait())
    done, _ = await asyncio.wait({bound, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in (bound, ended):
        task.cancel()
    await asyncio.gather(bound, ended, return_exceptions=True)
    if bound in done:
        bound.result()
    return run


async def call(
    directory: Path, server: str, number: str, scenario: str = "caller", *arguments: str, **options: Any
) -> Result:
    """Runs a caller to its end: ``server`` is ``host:port``, ``number`` goes into the Request-URI."""
    limit_s = float(str(options.get("limit_s", 60)))
    async with sipp(directory, scenario, server, "-s", number, *arguments, **options) as run:
        return await run.result(limit_s + 5)
