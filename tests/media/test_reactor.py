"""The worker's loop: faults stay where they are, time is kept."""

import socket
import time
from collections.abc import Iterator

import pytest

from edge.media.reactor import Reactor


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor() as made:
        yield made


def test_a_handler_that_fails_is_left_out_and_the_others_go_on(reactor: Reactor) -> None:
    faults: list[BaseException] = []
    heard: list[bytes] = []
    reactor.on_fault = faults.append
    bad, bad_end = socket.socketpair()
    good, good_end = socket.socketpair()

    def fail(_: float) -> None:
        raise ZeroDivisionError("a fault")

    with bad, bad_end, good, good_end:
        reactor.watch(bad.fileno(), fail)
        reactor.watch(good.fileno(), lambda _: heard.append(good.recv(100)))
        bad_end.send(b"x")
        reactor.run_once(1)
        good_end.send(b"y")
        for _ in range(3):
            reactor.run_once(0.01)
        assert [str(fault) for fault in faults] == ["a fault"]
        assert heard == [b"y"]
        reactor.unwatch(good.fileno())


def test_a_paced_step_comes_at_its_millisecond_not_before(reactor: Reactor) -> None:
    came: list[tuple[int, float]] = []

    def step(tick: int) -> int:
        came.append((tick, time.monotonic() * 1000))
        return 5 if len(came) < 4 else 0

    reactor.pacer.start(step, int(time.monotonic() * 1000))
    reactor.run_once(0)
    while len(came) < 4:
        reactor.run_once(1)
    ticks = [tick for tick, _ in came]
    assert [tick - ticks[0] for tick in ticks] == [0, 5, 10, 15]
    assert all(at >= tick for tick, at in came)
