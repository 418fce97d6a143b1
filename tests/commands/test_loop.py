"""The server's loop does what asyncio's does, in its order."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from edge.commands import loop as module
from edge.commands.loop import ServerLoop, server_loop

T = TypeVar("T")


def run(story: Callable[[], Awaitable[T]]) -> T:
    async def told() -> T:
        async with asyncio.timeout(30):
            return await story()

    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        return runner.run(told())


def test_what_is_ready_runs_in_order_and_what_is_cancelled_does_not() -> None:
    async def story() -> list[str]:
        loop, said = asyncio.get_running_loop(), list[str]()
        loop.call_soon(said.append, "first")
        loop.call_soon(said.append, "never").cancel()
        loop.call_soon(lambda: loop.call_soon(said.append, "third"))
        loop.call_soon(said.append, "second")
        await asyncio.sleep(0.001)
        return said

    assert run(story) == ["first", "second", "third"]


def test_sockets_and_timers_have_their_turn_beside_what_never_ends() -> None:
    async def story() -> tuple[bytes, bool]:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        busy = True

        def again() -> None:
            if busy:
                loop.call_soon(again)

        with ours, theirs:
            ours.setblocking(False)
            again()
            told = loop.create_future()
            loop.call_later(0.001, told.set_result, True)
            theirs.send(b"heard")
            heard = await loop.sock_recv(ours, 100)
            answer = await told
            busy = False
        return heard, answer

    assert run(story) == (b"heard", True)


def test_other_threads_wake_it() -> None:
    async def story() -> str:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()
        threading.Thread(target=loop.call_soon_threadsafe, args=(told.set_result, "here")).start()
        return await told

    assert run(story) == "here"


def test_a_callback_that_breaks_is_told_and_harms_no_other() -> None:
    async def story() -> list[str]:
        loop, said = asyncio.get_running_loop(), list[str]()
        loop.set_exception_handler(lambda _, context: said.append(type(context["exception"]).__name__))
        loop.call_soon(lambda: loop.call_soon(int, "no number"))
        loop.call_soon(lambda: loop.call_soon(said.append, "after"))
        await asyncio.sleep(0.001)
        return said

    assert run(story) == ["ValueError", "after"]


def test_readers_hear_of_everything_and_one_that_breaks_harms_no_other() -> None:
    async def story() -> tuple[list[bytes], list[str]]:
        loop, heard, said = asyncio.get_running_loop(), list[bytes](), list[str]()
        loop.set_exception_handler(lambda _, context: said.append(type(context["exception"]).__name__))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        broken, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        done = loop.create_future()

        def listen(prefix: bytes) -> None:
            heard.append(prefix + ours.recv(100))
            if len(heard) == 3:
                loop.remove_reader(ours)
                done.set_result(None)

        def fail() -> None:
            broken.recv(100)
            raise ValueError

        with ours, theirs, broken, other:
            loop.add_reader(ours, listen, b"> ")
            loop.add_reader(broken, fail)
            for turn in (b"1", b"2", b"3"):
                other.send(turn)
                theirs.send(turn)
                await asyncio.sleep(0)
            await done
            loop.remove_reader(broken)
            theirs.send(b"nobody")
            await asyncio.sleep(0.001)
        return heard, said

    assert run(story) == ([b"> 1", b"> 2", b"> 3"], ["ValueError"] * 3)


def test_a_reader_may_take_another_away_while_both_have_something() -> None:
    async def story() -> list[str]:
        loop, heard = asyncio.get_running_loop(), list[str]()
        pairs = [socket.socketpair() for _ in range(2)]

        def take(mine: socket.socket, other: socket.socket) -> None:
            heard.append("one")
            loop.remove_reader(mine)
            loop.remove_reader(other)

        (a, far_a), (b, far_b) = pairs
        with a, far_a, b, far_b:
            loop.add_reader(a, take, a, b)
            loop.add_reader(b, take, b, a)
            far_a.send(b"x")
            far_b.send(b"x")
            await asyncio.sleep(0.01)
        return heard

    assert run(story) == ["one"]


def test_a_socket_that_is_read_and_written_is_served_both_ways() -> None:
    async def story() -> set[str]:
        loop, said = asyncio.get_running_loop(), set[str]()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"x")
            loop.add_reader(ours, said.add, "reads")
            loop.add_writer(ours, said.add, "writes")
            await asyncio.sleep(0.01)
            loop.remove_writer(ours)
            loop.remove_reader(ours)
        return said

    assert run(story) == {"reads", "writes"}


def test_a_signal_is_heard_while_nothing_else_happens() -> None:
    async def story() -> str:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR1, told.set_result, "signal")
        await asyncio.sleep(0.001)
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        try:
            return await told
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)

    assert run(story) == "signal"


def test_a_closed_loop_takes_nothing() -> None:
    loop = ServerLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)


def test_a_loop_that_is_stopped_leaves_the_rest_for_later() -> None:
    loop, said = ServerLoop(), list[str]()
    loop.call_soon(loop.stop)
    loop.call_soon(lambda: loop.call_soon(said.append, "later"))
    loop.run_forever()
    assert said == []
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert said == ["later"]
    loop.close()


def test_it_is_the_one_that_the_server_runs_on() -> None:
    with capture_logs() as lines, asyncio.Runner(loop_factory=server_loop) as runner:
        assert isinstance(runner.get_loop(), ServerLoop) and lines == []


@pytest.mark.parametrize("names", ["LOOP_NAMES", "HANDLE_NAMES", "SELECTOR_NAMES"])
def test_where_asyncio_is_built_otherwise_its_own_serves_and_the_log_says_so(
    names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, names, (*getattr(module, names), "_gone"))

    async def story() -> str:
        return await asyncio.to_thread(lambda: "served")

    with capture_logs() as lines, asyncio.Runner(loop_factory=server_loop) as runner:
        assert runner.run(story()) == "served"
        assert type(runner.get_loop()) is asyncio.SelectorEventLoop
    (line,) = lines
    assert (line["event"], line["log_level"], line["missing"]) == ("loop.usual", "warning", ["_gone"])
