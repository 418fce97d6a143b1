"""The store that can not write: calls are told, facts are kept, and all is written when it is back."""

import asyncio
import errno
import os
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from edge.model.ledger import CapCount, Finish, Unavailable
from edge.store import spool as spools
from edge.store.database import connect as connect_database
from edge.store.records import NOT_MADE
from edge.store.spool import Spool
from edge.store.writer import Writer
from tests.store.conftest import HandClock, Query
from tests.support.commands import (
    DAY,
    NOON,
    at_once,
    connect,
    daily,
    finish,
    hand_back,
    opened,
    release,
    reserve,
)


class Broken:
    """A writer whose connection the test can get at, to break it as a disk would."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.path, self.clock = path, clock
        self.health: list[bool] = []

    def _open(self, path: Path) -> sqlite3.Connection:
        self.db = connect_database(path)
        self.db.execute("PRAGMA busy_timeout = 20")
        return self.db

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Writer]:
        async with Writer(self.path, self.clock, self._open) as writer:
            writer.on_health = self.health.append
            yield writer

    async def back(self, writer: Writer) -> None:
        """Waits until the writer has found out that it can write again."""
        healthy = asyncio.get_running_loop().create_future()
        writer.on_health = healthy.set_result
        self.clock.advance(60)
        writer.post(release("nobody"))
        assert await healthy is True


@pytest.fixture
def broken(path: Path, clock: HandClock) -> Broken:
    return Broken(path, clock)


def read_only(broken: Broken) -> Callable[[], object]:
    broken.db.execute("PRAGMA query_only = ON")
    return lambda: broken.db.execute("PRAGMA query_only = OFF")


def locked(broken: Broken) -> Callable[[], object]:
    other = sqlite3.connect(broken.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def full(broken: Broken) -> Callable[[], object]:
    (pages,) = broken.db.execute("PRAGMA page_count").fetchone()
    broken.db.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: broken.db.execute("PRAGMA max_page_count = 100000")


FAULTS = [read_only, locked, full]
BIG = "x" * 20_000


@pytest.mark.parametrize("fault", FAULTS)
async def test_calls_are_told_and_facts_are_written_later(
    broken: Broken, query: Query, fault: Callable[[Broken], Callable[[], object]]
) -> None:
    async with broken.running() as writer:
        await writer.submit(reserve("live", 1, daily("k", 5), at_once("c", 1)))
        mend = fault(broken)
        assert isinstance(await writer.submit(finish("early", note=BIG)), Unavailable)
        assert (writer.healthy, broken.health) == (False, [False])
        assert isinstance(await writer.submit(reserve("new", 1, at_once("c", 9))), Unavailable)
        assert isinstance(await writer.submit(connect("live")), Unavailable)
        assert isinstance(await writer.submit(finish("live")), Unavailable)
        assert writer.spooled == 3
        assert query("SELECT id FROM calls") == []
        mend()
        await broken.back(writer)
        assert writer.spooled == 0
        assert query("SELECT id FROM calls ORDER BY id") == [("early",), ("live",)]
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 1, 0)
        assert await writer.submit(reserve("next", 1, at_once("c", 1))) is None
        assert not broken.path.with_name("edge.db.spool").exists()


async def test_a_failed_commit_leaves_no_slot_taken(broken: Broken) -> None:
    async with broken.running() as writer:
        mend = read_only(broken)
        assert isinstance(await writer.submit(reserve("a", 1, at_once("k", 1))), Unavailable)
        mend()
        await broken.back(writer)
        assert await writer.submit(reserve("b", 1, at_once("k", 1))) is None


async def test_a_slot_that_goes_back_meanwhile_is_still_held(broken: Broken) -> None:
    """Of a transfer that came to nothing: the party's call has it again, and nobody else gets it."""
    async with broken.running() as writer:
        await writer.submit(reserve("lends", 2, at_once("k", 1)))
        await writer.submit(reserve("asks", 3, at_once("k", 1), at_once("own", 1), instead_of=("lends", 2)))
        mend = read_only(broken)
        assert isinstance(await writer.submit(hand_back("asks", 3, ("lends", 2), "k")), Unavailable)
        assert writer.spooled == 1
        mend()
        await broken.back(writer)
        assert await writer.submit(reserve("new", 1, at_once("k", 1))) == "k"
        assert await writer.submit(reserve("new", 1, at_once("own", 1))) is None
        await writer.submit(finish("lends"))
        assert await writer.submit(reserve("new", 2, at_once("k", 1))) is None


async def test_it_looks_again_by_itself(broken: Broken) -> None:
    """Nobody calls while the store is down, yet it is found to be back."""
    async with broken.running() as writer:
        mend = read_only(broken)
        await writer.submit(reserve("a", 1, at_once("k", 1)))
        mend()
        healthy = asyncio.get_running_loop().create_future()
        writer.on_health = healthy.set_result
        broken.clock.advance(60)
        # The thread waits a quarter of a real second, then reads the clock.
        assert await asyncio.wait_for(healthy, 30) is True


async def test_it_does_not_knock_at_every_call(broken: Broken) -> None:
    async with broken.running() as writer:
        mend = read_only(broken)
        await writer.submit(reserve("a", 1, at_once("k", 1)))
        mend()
        assert isinstance(await writer.submit(reserve("b", 1, at_once("k", 1))), Unavailable)


async def test_facts_outlive_the_process(broken: Broken, path: Path, clock: HandClock, query: Query) -> None:
    async with broken.running() as writer:
        await writer.submit(opened("a"))
        await writer.submit(reserve("a", 1, daily("k", 5)))
        read_only(broken)
        await writer.submit(connect("a"))
        await writer.submit(hand_back("a", 1, ("b", 1), "c"))
        await writer.submit(finish("a"))
    assert query("SELECT id FROM calls") == []
    with path.with_name("edge.db.spool").open("a") as torn:
        torn.write('{"type": "Finish", "call_id": "b", "end')
    async with Writer(path, clock) as writer:
        assert writer.recovered == 0
    assert query("SELECT id, disposition FROM calls") == [("a", "connected")]


@contextmanager
def room_for(path: Path, octets: int) -> Iterator[None]:
    """The disk is full once the file has grown by so many."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def kept(spool: Spool) -> list[str]:
    return [fact.call_id for fact in spool]


def kept_in(path: Path) -> list[str]:
    """By whoever reads it next."""
    again = Spool(path)
    again.load()
    return kept(again)


@pytest.mark.parametrize("later", [["after"], []], ids=["with the next one", "when it is asked again"])
def test_facts_that_did_not_fit_are_written_once_there_is_room(tmp_path: Path, later: list[str]) -> None:
    """A full disk takes some, and the beginning of a line: in the end all are there, once, in order."""
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.keep([release("before")])
    size = path.stat().st_size
    with room_for(path, size + 10):
        spool.keep([release("fits"), release("torn"), release("more")])
        assert (kept(spool), kept_in(path)) == (["before", "fits", "torn", "more"], ["before", "fits"])
        spool.keep([])
    spool.keep([release(call_id) for call_id in later])
    assert kept(spool) == kept_in(path) == ["before", "fits", "torn", "more", *later]


def test_what_there_is_no_room_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "MAX_FACTS", 2)
    held = Spool(tmp_path / "spool")
    with capture_logs() as logs:
        held.keep([release("a"), release("b")])
        held.keep([opened("no fact")])
        assert logs == []
        held.keep([release("c"), release("d")])
    assert [(log["event"], log["lost"], log["log_level"]) for log in logs] == [
        ("store.facts_lost", 2, "error")
    ]
    assert kept(held) == ["a", "b"]


class FailingDisk:
    """Its ``fsync`` fails so many times, and what was to be synced is lost: a kernel had only cached it."""

    def __init__(self, path: Path, fails: int) -> None:
        self.path, self.fails, self.safe = path, fails, path.read_bytes()
        self.sync = os.fsync

    def __call__(self, file: int) -> None:
        if self.fails:
            self.fails -= 1
            self.path.write_bytes(self.safe + b"\0" * (self.path.stat().st_size - len(self.safe)))
            raise OSError(errno.EIO, "the disk failed")
        self.sync(file)


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_facts_that_were_not_synced_are_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.keep([release("before")])
    monkeypatch.setattr(os, "fsync", FailingDisk(path, fails))
    spool.keep([release("lost")])
    assert kept_in(path) == ["before"]
    spool.keep([release("meanwhile")])
    for _ in range(fails):
        spool.keep([])
    spool.keep([release("after")])
    assert kept(spool) == kept_in(path) == ["before", "lost", "meanwhile", "after"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_spool_is_synced_with_the_folder_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))
    )
    spool = Spool(tmp_path / "spool")
    spool.keep([release("first")])
    spool.keep([release("second")])
    file, folder = str(tmp_path / "spool"), str(tmp_path)
    assert synced == [file, folder, file]


def test_what_fits_on_a_full_disk_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced, sync = tmp_path / "spool", [], os.fsync
    spool = Spool(path)
    spool.keep([release("before")])
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(sync(file)))
    with room_for(path, path.stat().st_size + 10):
        spool.keep([release("fits"), release("torn")])
    assert len(synced) == 1


@pytest.mark.parametrize("cut", [1, 10], ids=["within the line's end", "within the line"])
def test_what_another_server_left_torn_spoils_nothing(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "spool"
    Spool(path).keep([release("whole"), release("torn")])
    os.truncate(path, path.stat().st_size - cut)
    spool = Spool(path)
    spool.load()
    spool.keep([release("after")])
    assert kept(spool) == kept_in(path) == ["whole", *(["torn"] if cut == 1 else []), "after"]


@pytest.mark.parametrize("restarts", [True, False], ids=["over a restart", "when the store is back"])
async def test_a_fact_that_can_not_be_written_keeps_no_other_waiting(
    broken: Broken, path: Path, clock: HandClock, query: Query, *, restarts: bool
) -> None:
    """A mistake of ours must neither stop the server's start nor all calls for good."""
    bad = replace(finish("bad"), disposition=cast(str, ["not", "a", "text"]))
    async with broken.running() as writer:
        mend = read_only(broken)
        for command in (finish("before"), bad, finish("after")):
            await writer.submit(command)
        if not restarts:
            mend()
            with capture_logs() as logs:
                await broken.back(writer)
            assert writer.spooled == 0 and writer.healthy
    if restarts:
        with capture_logs() as logs:
            async with Writer(path, clock) as writer:
                assert writer.healthy
    assert [(log["event"], log["command"]) for log in logs if log["log_level"] == "error"] == [
        ("store.command_failed", "Finish")
    ]
    assert query("SELECT id FROM calls ORDER BY id") == [("after",), ("before",)]


async def test_a_bridge_that_was_undone_uses_nothing_up_though_only_the_spool_says_so(
    broken: Broken, path: Path, clock: HandClock
) -> None:
    """The caller was gone as the target answered, just as the disk was full, and then the server died."""
    async with broken.running() as writer:
        for call_id in ("undone", "cut off"):
            await writer.submit(opened(call_id))
            await writer.submit(reserve(call_id, 1, daily("k", 2)))
            await writer.submit(connect(call_id))
        read_only(broken)
        await writer.submit(replace(finish("undone"), unbridged=True))
    async with Writer(path, clock) as writer:
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 1, 0)


async def test_a_bridge_that_outlives_the_process_has_used_its_slots(
    broken: Broken, path: Path, clock: HandClock, query: Query
) -> None:
    """Whether the call is over as well or was cut off: what it used up is used, the rest is given back."""
    async with broken.running() as writer:
        for call_id in ("over", "cut off", "rang"):
            await writer.submit(opened(call_id))
            await writer.submit(reserve(call_id, 1, daily("k", 3), at_once("c", 3)))
        read_only(broken)
        for command in (connect("over"), connect("cut off"), finish("over"), release("rang")):
            await writer.submit(command)
    async with Writer(path, clock) as writer:
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 2, 0)
        assert await writer.submit(reserve("next", 1, daily("k", 3), at_once("c", 1))) is None
        assert await writer.submit(reserve("one more", 1, daily("k", 3))) == "k"
        assert writer.counts.count("c", "") == CapCount("c", "", 0, 1)
    assert query("SELECT call_id, cap_id, state FROM reservations WHERE call_id != 'next' ORDER BY 1") == [
        ("cut off", "k", "used"),
        ("over", "k", "used"),
    ]


async def test_a_store_that_fails_at_the_start_is_an_error(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "edge.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        async with Writer(path, clock):
            pass


def unmade(call_id: str) -> Finish:
    """The end of a call whose record breaks when it is asked for."""

    def breaks() -> dict[str, object]:
        raise LookupError("a bug")

    return Finish(call_id, NOON, "connected", breaks)


KEPT = (
    "SELECT id, started_at, campaign_id, target_id, disposition, record ->> 'disposition_detail' FROM calls"
)


@pytest.mark.parametrize("apart", [True, False], ids=["commits apart", "one commit"])
async def test_a_record_that_can_not_be_made_costs_nobody_more(
    broken: Broken, query: Query, apart: bool
) -> None:
    before = [opened("a"), reserve("a", 1, at_once("k", 1)), connect("a")]
    async with broken.running() as writer:
        with capture_logs() as lines:
            for command in before:
                if apart:
                    await writer.submit(command)
                else:
                    writer.post(command)
            other = writer.submit(finish("b"))
            assert await writer.submit(unmade("a")) is None
            assert await other is None
        assert await writer.submit(finish("no text", caller=object())) is None
        assert await writer.submit(reserve("next", 1, at_once("k", 1))) is None, "the slot is free again"
    started = "2026-11-22T12:00:00.000Z"
    assert query(f"{KEPT} WHERE id = 'a'") == [("a", started, "cmp_1", "tgt_1", "connected", NOT_MADE)]
    told = [(line["log_level"], line["call_id"]) for line in lines if line["event"] == "record.not_made"]
    assert told == [("error", "a")]
    assert query(f"{KEPT} WHERE id = 'no text'") == [("no text", started, None, None, "connected", NOT_MADE)]
    assert query("SELECT id FROM open_calls") == []


@pytest.mark.parametrize("stays", [True, False], ids=["the server stays", "another server"])
async def test_a_record_that_can_not_be_made_while_the_store_fails(
    broken: Broken, path: Path, clock: HandClock, query: Query, stays: bool
) -> None:
    async with broken.running() as writer:
        await writer.submit(opened("a"))
        mend = read_only(broken)
        for command in (unmade("a"), finish("b"), unmade("c")):
            async with asyncio.timeout(30):
                assert isinstance(await writer.submit(command), Unavailable)
        if stays:
            mend()
            await broken.back(writer)
    async with Writer(path, clock) as writer:
        assert writer.recovered == 0
    found = query("SELECT id, campaign_id, record ->> 'disposition_detail' FROM calls ORDER BY id")
    assert found == [("a", "cmp_1", NOT_MADE), ("b", None, None), ("c", None, NOT_MADE)]
