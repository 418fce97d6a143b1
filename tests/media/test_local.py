"""The engine with its real worker processes: calls, deaths, ends."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.media import local, local_call
from edge.media.engine import (
    Dtmf,
    MediaEvent,
    MediaTimeout,
    MediaUnavailable,
    NoAddress,
    PlayDone,
    WorkerDied,
)
from edge.media.local import LocalConfig, LocalEngine
from tests.support.ports import own_address
from tests.support.rtp_end import End, Rtp, event, packet, plan_for

LIMIT_S = 30


def engine_on(host: str, **changes: float) -> LocalEngine:
    wanted: dict[str, float] = {"workers": 1, "stock": 8}
    return LocalEngine(
        LocalConfig(20000, 20199, host, bind_host=host, **(wanted | changes)),  # type: ignore[arg-type]
        SystemClock(),
    )


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    async with engine_on(own_address()) as running:
        yield running


@pytest.fixture
async def pair() -> AsyncIterator[LocalEngine]:
    async with engine_on(own_address(), workers=2) as running:
        yield running


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.002)


async def hear(end: End, count: int) -> list[Rtp]:
    packets: list[Rtp] = []

    def enough() -> bool:
        packets.extend(Rtp(raw) for raw in end.received())
        return len(packets) >= count

    await until(enough)
    return packets


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def talking(engine: LocalEngine, caller: End, target: End) -> None:
    """One bridged call on which both hear each other."""
    with engine.call() as call:
        a, b = call.leg(), call.leg()
        a.update(plan_for(caller.address))
        b.update(plan_for(target.address))
        call.bridge(a, b)
        await until_relayed(caller, (a.host, a.port), target)
        await until_relayed(target, (b.host, b.port), caller)
        await call.finish()


async def until_relayed(sender: End, leg: tuple[str, int], listener: End) -> None:
    """Sends until it is heard: the worker may not have the plan yet."""
    for sequence in range(LIMIT_S * 100):
        sender.send(packet(sequence), leg)
        await asyncio.sleep(0.01)
        if listener.received():
            return
    pytest.fail("nothing was relayed")


async def test_two_ends_hear_each_other_and_are_counted(engine: LocalEngine) -> None:
    with End("127.0.0.1") as caller, End("127.0.0.1") as target, engine.call() as call:
        a, b = call.leg(), call.leg()
        assert a.port % 2 == b.port % 2 == 0
        a.update(plan_for(caller.address))
        b.update(plan_for(target.address))
        call.bridge(a, b)
        await until_relayed(caller, (a.host, a.port), target)
        await until_relayed(target, (b.host, b.port), caller)
        counted = await call.finish()
        assert set(counted) == {a.port, b.port}
        assert counted[a.port].packets_in >= 1
        assert counted[a.port].packets_out == counted[b.port].packets_in


async def test_key_presses_prompts_and_their_ends_are_told(engine: LocalEngine) -> None:
    await engine.load_prompt("greeting", {"PCMU": b"\x01" * 800, "PCMA": b"\x02" * 800})
    with End("127.0.0.1") as caller, engine.call() as call:
        told: list[MediaEvent] = []
        leg = call.leg()
        leg.on_event = told.append
        leg.update(plan_for(caller.address))
        token = leg.play("greeting")
        packets = await hear(caller, 5)
        assert b"".join(each.payload for each in packets) == b"\x01" * 800
        await until(lambda: told)
        caller.send(packet(1, payload_type=101, payload=event(10, 800, end=True)), (leg.host, leg.port))
        await until(lambda: len(told) == 2)
        assert told == [PlayDone(token), Dtmf("*", 100)]


async def test_ringback_needs_no_prompt(engine: LocalEngine) -> None:
    with End("127.0.0.1") as caller, engine.call() as call:
        leg = call.leg()
        leg.update(plan_for(caller.address))
        leg.play("tone:ringback", loop=True)
        packets = await hear(caller, 10)
        assert [each.timestamp - packets[0].timestamp for each in packets] == [
            160 * n for n in range(len(packets))
        ]


async def test_ringing_goes_on_until_the_other_leg_is_heard(engine: LocalEngine) -> None:
    with End("127.0.0.1") as caller, End("127.0.0.1") as target, engine.call() as call:
        a, b = call.leg(), call.leg()
        a.update(plan_for(caller.address))
        b.update(plan_for(target.address))
        call.bridge(a, b)
        a.play("tone:ringback", loop=True)
        a.give_way()
        await hear(caller, 3)
        sequences = itertools.count()

        def relayed() -> bool:
            target.send(packet(next(sequences), ssrc=77), (b.host, b.port))
            return any(Rtp(raw).ssrc == 77 for raw in caller.received())

        await until(relayed)


async def test_a_prompt_that_is_not_loaded_is_done_at_once(engine: LocalEngine) -> None:
    with engine.call() as call:
        told: list[MediaEvent] = []
        leg = call.leg()
        leg.on_event = told.append
        token = leg.play("nothing of that name")
        await until(lambda: told)
        assert told == [PlayDone(token)]


async def test_a_prompt_is_replaced_and_an_empty_one_refused(engine: LocalEngine) -> None:
    await engine.load_prompt("p", {"PCMU": b"\x01" * 160, "PCMA": b"\x01" * 160})
    await engine.load_prompt("p", {"PCMU": b"\x09" * 160, "PCMA": b"\x09" * 160})
    with pytest.raises(ValueError, match="no audio"):
        await engine.load_prompt("q", {"PCMU": b"", "PCMA": b""})
    with End("127.0.0.1") as caller, engine.call() as call:
        leg = call.leg()
        leg.update(plan_for(caller.address))
        leg.play("p")
        assert (await hear(caller, 1))[0].payload == b"\x09" * 160


async def test_a_refused_replacement_leaves_the_prompt_as_it_was(engine: LocalEngine) -> None:
    await engine.load_prompt("p", {"PCMU": b"\x01" * 160, "PCMA": b"\x01" * 160})
    with pytest.raises(ValueError, match="no audio"):
        await engine.load_prompt("p", {"PCMU": b"", "PCMA": b""})
    with End("127.0.0.1") as caller, engine.call() as call:
        leg = call.leg()
        leg.update(plan_for(caller.address))
        leg.play("p")
        assert (await hear(caller, 1))[0].payload == b"\x01" * 160


async def test_who_is_in_a_hurry_takes_along_what_waits_to_be_closed(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_call, "_CLOSE_S", 3600.0)
    with engine.call() as patient, engine.call() as hasty:
        patient.leg()
        hasty.leg()
        waits = asyncio.create_task(patient.finish())
        await asyncio.sleep(0)
        async with asyncio.timeout(LIMIT_S):
            assert len(await hasty.finish(hurry=True)) == 1
            assert len(await waits) == 1


async def test_a_silent_peer_is_told_of() -> None:
    async with engine_on(own_address(), media_timeout_s=1) as engine:
        with End("127.0.0.1") as caller, End("127.0.0.1") as target, engine.call() as call:
            a, b = call.leg(), call.leg()
            told: list[MediaEvent] = []
            a.on_event = told.append
            a.update(plan_for(caller.address))
            b.update(plan_for(target.address, silence_ok=True))
            call.bridge(a, b)
            await until(lambda: told)
            assert told == [MediaTimeout()]


async def test_leaving_the_block_frees_what_was_not_closed(engine: LocalEngine) -> None:
    with engine.call() as call:
        call.leg()
        call.leg()
    with pytest.raises(MediaUnavailable):
        call.leg()
    await until(lambda: engine.tallies[0].legs == 0)


async def test_calls_are_refused_when_every_port_is_taken_and_taken_again_later() -> None:
    host = own_address()
    config = LocalConfig(20000, 20007, host, bind_host=host, workers=1, stock=4, quarantine_s=0.2)
    async with LocalEngine(config, SystemClock()) as engine:
        with engine.call() as call:
            for _ in range(4):
                call.leg()
            with pytest.raises(MediaUnavailable):
                call.leg()
            with pytest.raises(MediaUnavailable):
                engine.call()
            await call.finish()

        def free() -> bool:
            try:
                with engine.call() as again:
                    again.leg()
            except MediaUnavailable:
                return False
            return True

        await until(free)


async def test_nobody_else_gets_the_ports_that_a_call_was_promised() -> None:
    host = own_address()
    config = LocalConfig(20000, 20009, host, bind_host=host, workers=1, stock=8, quarantine_s=0.2)
    async with LocalEngine(config, SystemClock()) as engine:
        with engine.call() as waits, engine.call() as talks:
            await until(lambda: waits._link.free == 1)
            assert not engine.ready, "five ports are two calls"
            with pytest.raises(MediaUnavailable):
                engine.call()
            legs = [talks.leg() for _ in range(3)]
            with pytest.raises(MediaUnavailable):
                talks.leg()
            for leg in legs[1:]:
                talks.close_leg(leg)
            assert talks.leg().port == legs[2].port, "there is no other for its next target"
            assert waits.leg().port != waits.leg().port
            assert waits._link.free == 0
            await until(lambda: waits._link.free == 1)
            assert not engine.ready
        await until(lambda: engine.ready)


async def test_a_call_without_a_free_port_beside_its_own_dials_on_with_them() -> None:
    host = own_address()
    config = LocalConfig(20000, 20003, host, bind_host=host, workers=1, stock=4, quarantine_s=0.2)
    async with LocalEngine(config, SystemClock()) as engine:
        with engine.call() as call, End(host) as caller, End(host) as former, End(host) as target:
            ours = call.leg()
            ours.update(plan_for(caller.address))
            for _ in range(3):
                tried = call.leg()
                told: list[MediaEvent] = []
                tried.on_event = told.append
                tried.update(plan_for(former.address))
                call.bridge(ours, tried)
                await until_relayed(former, (tried.host, tried.port), caller)
                call.close_leg(tried)
            last = call.leg()
            call.close_leg(tried)  # it is closed already
            last.update(plan_for(target.address))
            call.bridge(ours, last)
            await until_relayed(target, (last.host, last.port), caller)
            assert last.port == tried.port != ours.port
            counted = await call.finish()
            assert set(counted) == {ours.port, last.port}
            assert told == []
        await until(lambda: engine.ready)


async def test_who_asked_for_the_counters_of_a_leg_that_made_room_for_another_is_not_left_waiting() -> None:
    host = own_address()
    config = LocalConfig(20000, 20003, host, bind_host=host, workers=1, stock=4)
    async with LocalEngine(config, SystemClock()) as engine:
        with engine.call() as call:
            ours, tried = call.leg(), call.leg()
            for leg in (ours, tried):
                leg.update(plan_for(None))
            asked = asyncio.create_task(call.counters())
            await asyncio.sleep(0)
            call.close_leg(tried)
            async with asyncio.timeout(LIMIT_S):
                assert set(await asked) == {ours.port}


async def test_a_call_that_has_no_port_yet_when_its_worker_dies_goes_on_with_another(
    pair: LocalEngine,
) -> None:
    with pair.call() as early, pair.call() as other:
        died = early._link
        os.kill(died.pid, signal.SIGKILL)
        await until(lambda: not died.alive)
        ports = early.leg().port, early.leg().port, other.leg().port, other.leg().port
        assert len(set(ports)) == 4 and early._link is other._link
        counted = await early.finish()
        assert set(counted) == set(ports[:2])
        assert other._link.calls == 1
    assert other._link.calls == 0


async def test_a_call_that_finds_no_other_worker_takes_its_ports_from_the_restarted_one(
    engine: LocalEngine,
) -> None:
    with engine.call() as call:
        died = call._link
        os.kill(died.pid, signal.SIGKILL)
        await until(lambda: not died.alive)
        with pytest.raises(MediaUnavailable):
            call.leg()
        await until(lambda: engine.ready)
        assert call.leg().port != call.leg().port


async def test_a_call_that_begins_while_its_worker_is_restarted_gets_its_ports_in_its_turn(
    engine: LocalEngine,
) -> None:
    with contextlib.ExitStack() as calls:
        died = engine._links[0]
        assert died is not None and not engine.expected
        os.kill(died.pid, signal.SIGKILL)
        await until(lambda: not died.alive)
        assert engine.expected and not engine.ready
        waiting = [calls.enter_context(engine.call()) for _ in range(50)]
        told: list[int] = []
        for number, call in enumerate(waiting):
            assert not call.ready
            call.await_ports(lambda number=number: told.append(number))  # type: ignore[misc]
        with engine.call() as gone:
            gone.await_ports(lambda: told.append(-1))
        await until(lambda: len(told) == 50)
        assert told == list(range(50)), "as many as the range has room for"
        assert len({call.leg().port for call in waiting for _ in range(2)}) == 100
        assert not engine.ready
    await until(lambda: not engine.expected)


async def test_a_worker_that_dies_again_and_again_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "_FIRST_BACKOFF_S", 2.0)
    async with engine_on(own_address()) as engine:
        died = engine._links[0]
        assert died is not None
        os.kill(died.pid, signal.SIGKILL)
        await until(lambda: not died.alive and not engine.expected)
        with pytest.raises(MediaUnavailable):
            engine.call()


async def test_ports_are_there_for_as_many_calls_as_the_range_has_room_for(engine: LocalEngine) -> None:
    with contextlib.ExitStack() as calls:
        for _ in range(50):
            await until(lambda: engine.ready)
            calls.enter_context(engine.call())
        assert not engine.ready, (
            "a hundred pairs of ports are fifty calls, even if none has taken its own yet"
        )
        with pytest.raises(MediaUnavailable):
            engine.call()


async def test_each_worker_has_its_own_ports_and_a_new_one_all_of_its_share() -> None:
    host = own_address()
    config = LocalConfig(20000, 20011, host, bind_host=host, workers=2, stock=8)
    async with LocalEngine(config, SystemClock()) as engine:
        await until(lambda: [link and link.free for link in engine._links] == [3, 3])
        with engine.call() as lost, engine.call() as kept:
            assert not engine.ready, "a port of either is no call"
            os.kill(lost._link.pid, signal.SIGKILL)
            await until(lambda: engine.ready)
            with engine.call() as third:
                assert not engine.ready
                assert third._link is not kept._link
                with pytest.raises(MediaUnavailable):
                    lost.leg()
                for call in (third, kept):
                    assert call.leg().port != call.leg().port


async def test_calls_are_spread_over_the_workers(pair: LocalEngine) -> None:
    with pair.call() as first, pair.call() as second:
        assert first._link is not second._link


async def test_a_killed_workers_calls_are_told_once_and_it_is_replaced(pair: LocalEngine) -> None:
    await pair.load_prompt("greeting", {"PCMU": b"\x01" * 160, "PCMA": b"\x02" * 160})
    with End("127.0.0.1") as caller, End("127.0.0.1") as target:
        with pair.call() as lost, pair.call() as kept:
            told: list[MediaEvent] = []
            others: list[MediaEvent] = []
            for call, told_of in ((lost, told), (kept, others)):
                for leg in (call.leg(), call.leg()):
                    leg.on_event = told_of.append
            victim = lost._link.pid
            os.kill(victim, signal.SIGKILL)
            await until(lambda: told)
            assert told == [WorkerDied()]
            assert await lost.finish() == {}
            await until(lambda: not exists(victim))
            await until(lambda: len(pair.worker_pids) == 2)
            assert pair.restarts == 1
            assert told == [WorkerDied()]
            assert others == []
            assert len(await kept.finish()) == 2
        for _ in range(2):  # both workers, the new one with the prompt
            await talking(pair, caller, target)
        with pair.call() as first, pair.call() as second:
            for call in (first, second):
                leg = call.leg()
                leg.update(plan_for(caller.address))
                leg.play("greeting")
                assert (await hear(caller, 1))[0].payload == b"\x01" * 160


async def test_a_worker_that_hangs_is_replaced() -> None:
    async with engine_on(own_address(), hung_s=2) as engine:
        with engine.call() as call:
            told: list[MediaEvent] = []
            leg = call.leg()
            leg.on_event = told.append
            hung = engine.worker_pids[0]
            os.kill(hung, signal.SIGSTOP)
            await until(lambda: told)
            assert told == [WorkerDied()]
        await until(lambda: engine.worker_pids)
        assert not exists(hung)


async def test_a_machine_that_stood_still_has_no_worker_that_hangs() -> None:
    """All of a machine's processes stand still while it is moved to another host, and calls outlast that."""
    async with engine_on(own_address(), hung_s=2) as engine:
        with engine.call() as call:
            told: list[MediaEvent] = []
            call.leg().on_event = told.append
            (worker,) = engine.worker_pids
            os.kill(worker, signal.SIGSTOP)
            for _ in range(2):
                time.sleep(2.5)  # noqa: ASYNC251  (this process stands still, too)
                for _ in range(10):
                    await asyncio.sleep(0)
            os.kill(worker, signal.SIGCONT)
            before = engine.tallies
            await until(lambda: engine.tallies and engine.tallies[0] is not before[0])
            assert (engine.worker_pids, told) == ([worker], [])


async def test_counters_are_told_while_the_call_lasts(engine: LocalEngine) -> None:
    with End("127.0.0.1") as caller, End("127.0.0.1") as target, engine.call() as call:
        a, b = call.leg(), call.leg()
        a.update(plan_for(caller.address))
        b.update(plan_for(target.address))
        call.bridge(a, b)
        await until_relayed(caller, (a.host, a.port), target)
        first = await call.counters()
        assert set(first) == {a.port, b.port}
        assert first[a.port].packets_in >= 1
        caller.send(packet(5000), (a.host, a.port))
        # What was sent before the worker had the plan may come on only now.
        await until(lambda: any(Rtp(raw).sequence == 5000 for raw in target.received()))
        assert (await call.counters())[a.port].packets_in > first[a.port].packets_in


@pytest.mark.parametrize(
    "hostile", [{"ptime_ms": 0}, {"ptime_ms": 10**6}, {"clock_rate": 0}, {"clock_rate": 10**12}]
)
async def test_figures_beyond_all_codecs_count_as_the_usual_ones(
    engine: LocalEngine, hostile: dict[str, int]
) -> None:
    await engine.load_prompt("greeting", {"PCMU": b"\x01" * 320, "PCMA": b"\x02" * 320})
    with End("127.0.0.1") as caller, engine.call() as call:
        leg = call.leg()
        leg.update(plan_for(caller.address, **hostile))
        leg.play("greeting")
        assert [len(each.payload) for each in await hear(caller, 2)] == [160, 160]
        assert len(await call.finish()) == 1


async def test_no_process_is_left_when_the_block_is_left() -> None:
    async with engine_on(own_address(), workers=2) as engine:
        pids = engine.worker_pids
        assert len(pids) == 2
        for pid in pids:
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        await asyncio.sleep(0)
        with engine.call() as call:
            call.leg()
            assert len(await call.finish()) == 1
        assert all(map(is_running, pids))
    assert not any(map(exists, pids))


async def test_a_worker_ends_with_the_main_process() -> None:
    host = own_address()
    script = (
        "import asyncio, sys\n"
        "from edge.clock import SystemClock\n"
        "from edge.media.local import LocalConfig, LocalEngine\n"
        "async def main():\n"
        f"    config = LocalConfig(20000, 20099, {host!r}, bind_host={host!r}, workers=1, stock=4)\n"
        "    async with LocalEngine(config, SystemClock()) as engine:\n"
        "        print(*engine.worker_pids, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    pid = int(await asyncio.wait_for(process.stdout.readline(), LIMIT_S))
    assert is_running(pid)
    process.kill()
    await process.wait()
    await until(lambda: not is_running(pid))


async def test_a_range_that_can_not_be_bound_is_said_at_the_start() -> None:
    host = own_address()
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((host, 20000))
        config = LocalConfig(20000, 20001, host, bind_host=host, workers=1)
        with pytest.raises(MediaUnavailable, match="20000-20001"):
            async with LocalEngine(config, SystemClock()):
                pass


async def test_ports_leave_a_worker_the_files_that_prompts_need() -> None:
    """There are more than it may have files open for; a prompt comes when all that it can have are bound."""
    host = own_address()
    script = (
        "import asyncio, resource, socket\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (164, 164))\n"
        "from edge.clock import SystemClock\n"
        "from edge.media.local import LocalConfig, LocalEngine\n"
        "from tests.support.rtp_end import plan_for\n"
        "async def main():\n"
        f"    config = LocalConfig(20000, 20199, {host!r}, second_host='::1', workers=1)\n"
        "    async with LocalEngine(config, SystemClock()) as engine:\n"
        "        while not engine.tallies[0].ports_bound:\n"
        "            await asyncio.sleep(0.01)\n"
        "        await engine.load_prompt('greeting', {'PCMU': b'\\1' * 1600, 'PCMA': b'\\2' * 1600})\n"
        "        ears = socket.socket(type=socket.SOCK_DGRAM)\n"
        "        ears.bind(('127.0.0.1', 0))\n"
        "        ears.setblocking(False)\n"
        "        with engine.call() as call:\n"
        "            leg = call.leg()\n"
        "            leg.update(plan_for(ears.getsockname()))\n"
        "            leg.play('greeting')\n"
        "            said = await asyncio.get_running_loop().sock_recv(ears, 2048)\n"
        "        print(engine.room(164), engine.tallies[0].ports_bound, said[12:14].hex(), flush=True)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    try:
        heard, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    assert heard.split() == [b"10", b"25", b"0101"], "four files a port, five with its peer, of a hundred"


async def test_rtp_leaves_from_the_advertised_address() -> None:
    host = own_address()
    config = LocalConfig(20000, 20099, host, workers=1, stock=4)
    async with LocalEngine(config, SystemClock()) as engine:
        with End("127.0.0.1") as caller, engine.call() as call:
            leg = call.leg()
            leg.update(plan_for(caller.address))
            leg.play("tone:ringback")
            await until(lambda: heard_from(caller, (host, leg.port)))


def heard_from(end: End, address: tuple[str, int]) -> bool:
    """Whether the next packet that is there came from that address; fails if it came from another."""
    try:
        sender = end.socket.recvfrom(2048)[1]
    except BlockingIOError:
        return False
    assert sender == address
    return True


async def test_who_stands_on_our_side_of_the_nat_is_told_our_own_address() -> None:
    config = LocalConfig(
        20000,
        60000,
        "203.0.113.5",
        local_networks=["127.0.0.0/24"],
        proxies=["127.0.0.9/32"],
        workers=1,
        stock=4,
    )
    async with LocalEngine(config, SystemClock()) as engine:
        with engine.call() as call:
            assert call.leg("127.0.0.1").host == "127.0.0.1"
            assert call.leg("127.0.1.1").host == "203.0.113.5"
            assert call.leg("127.0.0.9").host == "203.0.113.5"  # a proxy: whose audio it brings is elsewhere
            assert call.leg().host == "203.0.113.5"


async def test_with_a_local_network_every_address_is_bound() -> None:
    host = own_address()
    config = LocalConfig(20000, 60000, host, local_networks=["127.0.0.1/32"], workers=1, stock=4)
    async with LocalEngine(config, SystemClock()) as engine:
        with End("127.0.0.1") as peer, engine.call() as call:
            leg = call.leg("127.0.0.1")
            leg.update(plan_for(peer.address))
            leg.play("tone:ringback")
            await until(lambda: heard_from(peer, ("127.0.0.1", leg.port)))


async def test_behind_nat_every_address_is_bound() -> None:
    config = LocalConfig(20000, 60000, "203.0.113.5", workers=1, stock=4)
    async with LocalEngine(config, SystemClock()) as engine:
        with End("127.0.0.1") as caller, End("127.0.0.1") as target, engine.call() as call:
            a, b = call.leg(), call.leg()
            assert a.host == "203.0.113.5"
            a.update(plan_for(caller.address))
            b.update(plan_for(target.address))
            call.bridge(a, b)
            await until_relayed(caller, ("127.0.0.1", a.port), target)


async def test_each_peer_is_told_an_address_of_its_own_family() -> None:
    host = own_address()
    config = LocalConfig(20000, 60000, host, second_host="::", workers=1, stock=4)
    async with LocalEngine(config, SystemClock()) as engine:
        with End("127.0.0.1") as caller, End("::1") as target, engine.call() as call:
            a, b = call.leg("::1", "127.0.0.1"), call.leg("::1")
            assert (a.host, b.host) == (host, "::1")
            a.update(plan_for(caller.address))
            b.update(plan_for(target.address))
            call.bridge(a, b)
            await until_relayed(caller, (a.host, a.port), target)
            await until_relayed(target, (b.host, b.port), caller)


async def test_who_moves_into_another_family_is_still_told_what_is_told_where_its_sip_comes_from() -> None:
    """Its audio is behind a NAT of its own, at an address that there is on our side of ours as well."""
    config = LocalConfig(
        20000, 60000, "203.0.113.5", second_host="::", local_networks=["127.0.0.0/24"], workers=1, stock=4
    )
    async with LocalEngine(config, SystemClock()) as engine:
        with engine.call() as call:
            leg = call.leg("198.51.100.1", "::1")
            assert leg.host == "::1"
            assert leg.host_for("127.0.0.1") == "203.0.113.5"
            assert call.leg("127.0.0.1", "::1").host_for("192.0.2.9") == "127.0.0.1"


async def test_without_an_address_of_its_family_a_peer_has_no_leg(engine: LocalEngine) -> None:
    with engine.call() as call:
        with pytest.raises(NoAddress, match="no IPv6 address of ours"):
            call.leg("127.0.0.1", "2001:db8::1")
        assert call.leg("127.0.0.1").port != call.leg("127.0.0.1").port


async def test_a_call_that_outlives_the_engine_ends_without_waiting() -> None:
    async with engine_on(own_address()) as engine:
        call = engine.call()
        told: list[MediaEvent] = []
        leg = call.leg()
        leg.on_event = told.append
    assert told == [WorkerDied()]
    leg.update(plan_for(("127.0.0.1", 4000)))
    assert await call.finish() == {}


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "phone.example", "::"])
async def test_rtp_is_never_sent_where_it_must_not_go(engine: LocalEngine, address: str) -> None:
    await engine.load_prompt("greeting", {"PCMU": b"\x01" * 160, "PCMA": b"\x02" * 160})
    with engine.call() as call:
        told: list[MediaEvent] = []
        leg = call.leg()
        leg.on_event = told.append
        leg.update(plan_for((address, 4000)))
        leg.play("greeting")
        await until(lambda: told)
        assert (await call.finish())[leg.port].packets_out == 0
