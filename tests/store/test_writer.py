"""What the call path is promised: answers that are durable, caps that are exact, nothing that raises."""

import asyncio
import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from edge.model.decision import CapClaim
from edge.model.ledger import CapCount, ResetCap, Unavailable
from edge.store import writer as writers
from edge.store.database import StoreInUse
from edge.store.writer import Writer
from tests.store.conftest import HandClock, Query
from tests.support.commands import (
    DAY,
    at_once,
    connect,
    convert,
    daily,
    finish,
    opened,
    release,
    reserve,
    soft,
)

WINDOWS = ("2026-11-22", "2026-11-23")


async def test_an_answer_means_committed(path: Path, clock: HandClock, query: Query) -> None:
    async with Writer(path, clock) as writer:
        writer.post(opened("a"))
        assert await writer.submit(reserve("a", 0, daily("k", 1))) is None
        assert query("SELECT cap_id, state FROM reservations") == [("k", "reserved")]
        assert query("SELECT id FROM open_calls") == [("a",)]
        assert await writer.submit(connect("a", 0)) is None
        assert query("SELECT cap_id, window_key, used FROM counters") == [("k", DAY, 1)]
        assert await writer.submit(finish("a")) is None
        assert query("SELECT id, disposition FROM calls") == [("a", "connected")]
        assert query("SELECT id FROM open_calls") == []


async def test_posted_commands_are_written_without_being_waited_for(
    path: Path, clock: HandClock, query: Query
) -> None:
    async with Writer(path, clock) as writer:
        writer.post(opened("a"))
        writer.post(finish("a"))
    assert query("SELECT id FROM calls") == [("a",)]


async def test_what_is_due_soon_goes_when_another_command_comes(
    path: Path, clock: HandClock, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in ("LINGER_S", "RIDE_S", "EARLY_S"):  # no timer rings in this test
        monkeypatch.setattr(writers, wait, 3600.0)
    async with Writer(path, clock) as writer:
        writer.post(opened("a"))
        assert await writer.submit(release("a")) is None
        assert query("SELECT id FROM open_calls") == [("a",)]


async def test_records_that_nobody_waits_for_share_a_commit(
    path: Path, clock: HandClock, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "LINGER_S", 3600.0)  # the next commit, going by the last, comes in time
    async with Writer(path, clock) as writer:
        await writer.submit(connect("x"))
        writer.post(finish("a"))
        await writer.submit(connect("b"))
        assert query("SELECT id FROM calls") == []
        before = writer.commits
        writer.post(finish("d"))
    assert query("SELECT id FROM calls ORDER BY id") == [("a",), ("d",)]
    assert writer.commits == before + 1


async def test_a_record_goes_along_with_a_commit_after_a_quiet_time(
    path: Path, clock: HandClock, query: Query
) -> None:
    async with Writer(path, clock) as writer:
        writer.post(finish("a"))
        await writer.submit(connect("b"))
        assert query("SELECT id FROM calls") == [("a",)]
        assert writer.commits == 2  # recovery's and this


async def test_the_record_is_kept_whole_and_its_trace_apart(
    path: Path, clock: HandClock, query: Query
) -> None:
    lines = [{"at_s": 0.0, "message": "INVITE sip:a@b SIP/2.0"}]
    async with Writer(path, clock) as writer:
        await writer.submit(finish("a", tags={"channel": "tv"}, trace=lines))
    ((record, trace),) = query("SELECT record, trace FROM calls")
    assert json.loads(str(record))["tags"] == {"channel": "tv"}
    assert "trace" not in json.loads(str(record))
    assert json.loads(str(trace)) == lines


async def test_k1_the_third_of_two_is_refused_by_the_cap_that_is_full(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        for call in ("a", "b"):
            assert await writer.submit(reserve(call, 0, daily("k", 2))) is None
            assert await writer.submit(connect(call)) is None
            await writer.submit(finish(call))
        assert await writer.submit(reserve("c", 0, daily("k", 2))) == "k"
        assert writer.counts.taken("k", DAY) == 2


async def test_k2_a_call_counts_in_the_window_it_was_reserved_in(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 0, daily("k", 1, window=WINDOWS[0])))
        clock.advance(86_400)
        await writer.submit(connect("a"))
        assert writer.counts.count("k", WINDOWS[0]) == CapCount("k", WINDOWS[0], 1, 0)
        assert await writer.submit(reserve("b", 0, daily("k", 1, window=WINDOWS[1]))) is None


async def test_k3_of_two_at_the_same_moment_one_gets_the_slot(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        answers = await asyncio.gather(
            writer.submit(reserve("a", 1, daily("k", 1))), writer.submit(reserve("b", 1, daily("k", 1)))
        )
        assert sorted(answers, key=str) == [None, "k"]


async def test_k4_a_slot_whose_target_rang_out_is_free_again(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 1, daily("k", 1)))
        assert await writer.submit(reserve("b", 1, daily("k", 1))) == "k"
        await writer.submit(release("a"))
        assert await writer.submit(reserve("b", 1, daily("k", 1))) is None


async def test_k8_concurrency_is_free_when_the_caller_gives_up(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 1, at_once("k", 1)))
        writer.post(finish("a", "caller_hung_up_ringing"))
        assert await writer.submit(reserve("b", 1, at_once("k", 1))) is None


async def test_concurrency_is_held_from_the_dial_over_the_bridge_to_the_end(
    path: Path, clock: HandClock
) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 1, at_once("k", 1)))
        await writer.submit(connect("a"))
        assert await writer.submit(reserve("b", 1, at_once("k", 1))) == "k"
        await writer.submit(finish("a"))
        assert await writer.submit(reserve("b", 1, at_once("k", 1))) is None


async def test_a_limit_of_zero_accepts_none(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        assert await writer.submit(reserve("a", 1, daily("k", 0))) == "k"


async def test_a_lowered_limit_ends_nothing_and_takes_no_more(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        for call in ("a", "b"):
            await writer.submit(reserve(call, 1, at_once("k", 2)))
        assert await writer.submit(reserve("c", 1, at_once("k", 1))) == "k"
        assert writer.counts.taken("k", "") == 2


async def test_all_or_nothing(path: Path, clock: HandClock, query: Query) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 1, daily("full", 1)))
        claims = (daily("x", 5), at_once("y", 5), daily("full", 1), daily("z", 5))
        assert await writer.submit(reserve("b", 1, *claims)) == "full"
        assert [writer.counts.taken(cap, window) for cap, window in (("x", DAY), ("y", ""), ("z", DAY))] == [
            0
        ] * 3
        assert query("SELECT call_id, cap_id FROM reservations") == [("a", "full")]


async def test_an_attempt_cap_is_used_by_the_first_dial_and_not_before(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 0, daily("k", 9, "attempt")))
        await writer.submit(finish("a"))
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 0, 0)
        await writer.submit(reserve("b", 0, daily("k", 9, "attempt")))
        await writer.submit(reserve("b", 1, daily("t", 9, "attempt")))
        await writer.submit(release("b", 1))
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 1, 0)
        assert writer.counts.count("t", DAY) == CapCount("t", DAY, 1, 0)


async def test_connect_uses_up_admission_and_its_own_attempt_only(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(reserve("a", 0, daily("number", 9)))
        await writer.submit(reserve("a", 1, daily("first", 9)))
        await writer.submit(reserve("a", 2, daily("second", 9)))
        await writer.submit(connect("a", 2))
        await writer.submit(finish("a"))
        used = [writer.counts.count(cap, DAY).used for cap in ("number", "first", "second")]
        assert used == [1, 0, 1]
        assert writer.counts.count("first", DAY).reserved == 0


async def test_repeating_a_command_changes_nothing(path: Path, clock: HandClock, query: Query) -> None:
    async with Writer(path, clock) as writer:
        commands = (opened("a"), reserve("a", 1, daily("k", 1), at_once("c", 1)), connect("a"), release("a"))
        for command in (*commands, finish("a", note="first")):
            assert await writer.submit(command) is None
            assert await writer.submit(command) is None
        await writer.submit(finish("a", "busy", note="second"))
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 1, 0)
        assert writer.counts.count("c", "") == CapCount("c", "", 0, 0)
        assert query("SELECT disposition FROM calls") == [("connected",)]
        await writer.submit(opened("a"))
        assert query("SELECT id FROM open_calls") == []


async def test_a_call_that_is_over_reserves_nothing(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(finish("a"))
        answer = await writer.submit(reserve("a", 1, at_once("k", 1)))
        assert isinstance(answer, Unavailable)
        assert writer.counts.taken("k", "") == 0


async def test_k9_after_a_crash_used_counts_stay_and_nothing_else_is_taken(
    path: Path, clock: HandClock, query: Query, tmp_path: Path
) -> None:
    """The file is copied while calls live: what the disk holds when the process is killed."""
    copy = tmp_path / "crashed" / "edge.db"
    copy.parent.mkdir()
    async with Writer(path, clock) as writer:
        await writer.submit(opened("bridged"))
        await writer.submit(reserve("bridged", 1, daily("k", 9), at_once("c", 1)))
        await writer.submit(connect("bridged"))
        await writer.submit(opened("ringing"))
        await writer.submit(reserve("ringing", 1, daily("k", 9)))
        for suffix in ("", "-wal"):
            copy.with_name(f"edge.db{suffix}").write_bytes(path.with_name(f"edge.db{suffix}").read_bytes())
    clock.advance(60)
    async with Writer(copy, clock) as writer:
        assert writer.recovered == 2
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 1, 0)
        assert await writer.submit(reserve("next", 1, at_once("c", 1))) is None
        assert await writer.submit(reserve("next", 2, daily("k", 2))) is None
        assert await writer.submit(reserve("last", 2, daily("k", 2))) == "k"


async def test_open_calls_of_a_dead_server_become_interrupted_records(
    path: Path, clock: HandClock, query: Query
) -> None:
    async with Writer(path, clock) as writer:
        await writer.submit(opened("a"))
        await writer.submit(connect("a"))
    clock.advance(60)
    async with Writer(path, clock) as writer:
        assert writer.recovered == 1
    ((disposition, started, ended, record),) = query(
        "SELECT disposition, started_at, ended_at, record FROM calls"
    )
    assert (disposition, started, ended) == (
        "interrupted",
        "2026-11-22T12:00:00.000Z",
        "2026-11-22T12:01:00.000Z",
    )
    found = json.loads(str(record))
    assert found["connected_at"] == "2026-11-22T12:00:00.000Z"
    assert "stopped" in found["disposition_detail"]
    async with Writer(path, clock) as writer:
        assert writer.recovered == 0


@pytest.mark.parametrize("together", [True, False], ids=["in one commit", "one by one"])
@pytest.mark.parametrize("then", ["rings", "talks"])
async def test_an_interrupted_call_is_not_a_targets_that_it_was_never_bridged_to(
    path: Path, clock: HandClock, query: Query, *, together: bool, then: str
) -> None:
    """A mistake of ours came between, and the call went on to its failsafe's target."""
    told = [
        opened("a"),
        connect("a"),
        replace(release("a"), unbridged=True),
        *([replace(connect("a", 2), target_id="tgt_2")] if then == "talks" else []),
    ]
    async with Writer(path, clock) as writer:
        for command in told:
            answer = writer.submit(command)
            if not together:
                await answer
        await answer
    async with Writer(path, clock) as writer:
        assert writer.recovered == 1
    assert query("SELECT target_id FROM calls") == [("tgt_2" if then == "talks" else None,)]


async def test_an_interrupted_call_is_its_buyers(path: Path, clock: HandClock, query: Query) -> None:
    """By the target that it was bridged to: the buyer sees it, and its caller is one of before."""
    async with Writer(path, clock) as writer:
        for call_id in ("bridged", "rang"):
            await writer.submit(opened(call_id))
        await writer.submit(connect("bridged"))
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO targets (id, version, created_at, updated_at, name, state, body) "
            """VALUES ('tgt_1', 1, '', '', 'pbx', 'active', '{"buyer_id": "buy_1"}')"""
        )
    db.close()
    async with Writer(path, clock):
        pass
    found = query("SELECT id, buyer_id, record ->> 'buyer_id' FROM calls ORDER BY id")
    assert found == [("bridged", "buy_1", "buy_1"), ("rang", None, None)]


async def test_one_command_that_can_not_be_written_harms_no_other(path: Path, clock: HandClock) -> None:
    bad = opened("bad", caller=cast(str, object()))
    async with Writer(path, clock) as writer:
        futures = [
            writer.submit(command)
            for command in (opened("a"), bad, finish("b"), reserve("a", 1, at_once("k", 1)))
        ]
        answers = await asyncio.gather(*futures)
        assert [type(answer) for answer in answers] == [type(None), Unavailable, type(None), type(None)]
        assert writer.healthy
        assert writer.counts.taken("k", "") == 1


async def test_bytes_of_the_wire_do_not_lose_the_record(path: Path, clock: HandClock, query: Query) -> None:
    dirty = "5\udcff\x00'); DROP TABLE calls; --"
    async with Writer(path, clock) as writer:
        await writer.submit(opened("a", caller=dirty))
        assert await writer.submit(finish("a", caller=dirty, tags={"x": dirty})) is None
    ((record,),) = query("SELECT record FROM calls")
    assert json.loads(str(record))["tags"]["x"] == dirty


async def test_a_waiter_that_is_gone_disturbs_nobody(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        future = writer.submit(reserve("a", 1, at_once("k", 1)))
        future.cancel()
        assert await writer.submit(reserve("b", 1, at_once("k", 1))) == "k"
        await writer.submit(finish("a"))
        assert await writer.submit(reserve("b", 1, at_once("k", 1))) is None


async def test_two_servers_do_not_share_a_database(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock):
        with pytest.raises(StoreInUse, match="data_dir"):
            async with Writer(path, clock):
                pass
    async with Writer(path, clock) as writer:
        assert await writer.submit(finish("a")) is None


async def test_many_calls_share_commits(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        calls = [f"call-{n}" for n in range(200)]
        before = writer.commits
        await asyncio.gather(*(writer.submit(reserve(call, 1, at_once("k", 150))) for call in calls))
        assert writer.counts.taken("k", "") == 150
        assert writer.commits - before < 50


async def test_k7_two_in_flight_both_convert_and_the_overshoot_is_seen(path: Path, clock: HandClock) -> None:
    async with Writer(path, clock) as writer:
        sold = soft("k", 1)
        for call in ("a", "b"):
            assert await writer.submit(reserve(call, 1, sold)) is None
            assert await writer.submit(connect(call)) is None
        assert writer.counts.taken("k", DAY) == 0
        assert await writer.submit(convert("a")) is None
        await writer.submit(finish("b"))
        assert await writer.submit(convert("b")) is None  # after its end
        assert await writer.submit(convert("b")) is None  # and never twice
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 2, 0)
        assert await writer.submit(reserve("c", 1, sold)) == "k"


async def test_a_conversion_after_a_crash_still_counts_and_one_that_was_never_bridged_does_not(
    path: Path, clock: HandClock
) -> None:
    async with Writer(path, clock) as writer:
        for call in ("a", "b"):
            writer.post(opened(call))
            await writer.submit(reserve(call, 1, soft("k", 5)))
        await writer.submit(connect("a"))
    async with Writer(path, clock) as writer:
        assert writer.recovered == 2
        await writer.submit(convert("a"))
        await writer.submit(convert("b"))
        assert writer.counts.count("k", DAY).used == 1


async def test_reaching_a_cap_and_its_warning_are_told_once_a_window(
    path: Path, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Writer(path, clock) as writer:
        claim = CapClaim("k", "tgt_1", DAY, 3, "connect", warning=2)
        for call in ("a", "b", "c"):
            await writer.submit(reserve(call, 1, claim))
            await writer.submit(connect(call))
            await writer.submit(connect(call))
            await writer.submit(finish(call))
        assert await writer.submit(reserve("d", 1, claim)) == "k"
        assert await writer.submit(ResetCap("k", DAY, "tok_1", clock.utc())) == 3
    told = re.findall(r"cap\.\w+", capsys.readouterr().out)
    assert told == ["cap.warning", "cap.reached"]


async def test_a_window_is_told_of_once_whatever_is_given_back_or_becomes_of_the_limit(
    path: Path, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A caller who was gone as his target answered gives the last slot back; over a restart, too."""

    async def call(writer: Writer, name: str, limit: int, *, unbridged: bool = False) -> None:
        claim = CapClaim("k", "tgt_1", DAY, limit, "connect", warning=limit - 1)
        assert await writer.submit(reserve(name, 1, claim)) is None
        await writer.submit(connect(name))
        await writer.submit(replace(finish(name), unbridged=unbridged))

    async with Writer(path, clock) as writer:
        await call(writer, "a", 2)
        await call(writer, "b", 2, unbridged=True)
        await call(writer, "c", 2, unbridged=True)
    async with Writer(path, clock) as writer:
        await call(writer, "d", 2)
        await call(writer, "e", 3)
        assert await writer.submit(ResetCap("k", DAY, "tok_1", clock.utc())) == 3
        await call(writer, "f", 1)
    told = re.findall(r"cap\.\w+", capsys.readouterr().out)
    assert told == ["cap.warning", "cap.reached", "cap.reached"]


async def test_a_reset_is_audited_and_takes_nothing_that_is_reserved(
    path: Path, clock: HandClock, query: Query
) -> None:
    async with Writer(path, clock) as writer:
        for call in ("a", "b"):
            await writer.submit(reserve(call, 1, daily("k", 2)))
        await writer.submit(connect("a"))
        for expected in (1, 0):
            assert await writer.submit(ResetCap("k", DAY, "tok_1", clock.utc())) == expected
        assert writer.counts.count("k", DAY) == CapCount("k", DAY, 0, 1)
    assert query("SELECT cap_id, by, used FROM cap_resets") == [("k", "tok_1", 1)]
    assert query("SELECT call_id, state FROM reservations WHERE state <> 'reserved'") == [("a", "cleared")]


async def test_counts_of_months_and_lifetimes_are_known_after_a_restart(path: Path, clock: HandClock) -> None:
    windows = ("2026-11", "lifetime", "2026-11-22T12", "2026-11-22T09:00")
    async with Writer(path, clock) as writer:
        for number, window in enumerate(windows):
            await writer.submit(reserve(str(number), 1, daily(f"k{number}", 5, window=window)))
            await writer.submit(connect(str(number)))
    async with Writer(path, clock) as writer:
        assert [writer.counts.taken(f"k{n}", window) for n, window in enumerate(windows)] == [1] * 4
