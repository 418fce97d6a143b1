"""The server's loop does what asyncio's does, in its order."""

import asyncio
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


@pytest.mark.parametrize("names", ["LOOP_NAMES", "HANDLE_NAMES"])
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
