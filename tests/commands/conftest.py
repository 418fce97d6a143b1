"""The command line as a process of its own, beside an API with the real services."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.admin.app import Applications
from edge.admin.listener import Listener
from edge.cli import main
from tests.admin.conftest import (
    ADMIN,
    ANYWHERE,
    applications,
    backstage,
    clock,
    empty_database,
    ports,
)

__all__ = ["applications", "backstage", "clock", "empty_database", "ports"]


@dataclass(frozen=True)
class Ran:
    """A command's end."""

    code: int
    out: str
    err: str


Edge = Callable[..., Ran]
Remote = Callable[..., Awaitable[Ran]]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no ``EDGE_`` variable."""
    for name in [name for name in os.environ if name.startswith("EDGE_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "work"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def edge(work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Edge:
    """Runs ``edge`` in this process (it starts in no time); keywords are ``EDGE_`` variables."""

    def run(*arguments: str, **variables: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["edge", *arguments])
        with monkeypatch.context() as environment, pytest.raises(SystemExit) as end:
            for name, value in variables.items():
                environment.setenv(name, value)
            main()
        assert isinstance(end.value.code, int)
        return Ran(end.value.code, *capsys.readouterr())

    return run


@pytest.fixture
async def server(applications: Applications, work: Path) -> AsyncIterator[Remote]:
    """Runs ``edge`` as a process, with a running server's address and an admin's token."""
    async with Listener(applications.admin, ANYWHERE) as listener:

        async def run(*arguments: str, **variables: str) -> Ran:
            process = await asyncio.create_subprocess_exec(
                *(str(Path(sys.executable).with_name("edge")), *arguments),
                env={**os.environ, "EDGE_URL": listener.url, "EDGE_TOKEN": ADMIN, **variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            assert process.returncode is not None
            return Ran(process.returncode, out.decode(), err.decode())

        yield run
