"""A UDP socket is read whole when datagrams crowd, and one at a time while they come alone."""

import asyncio
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from edge.sip.events import Flow
from edge.sip.transport import ALONE, BATCH, UdpListener


class Heard:
    """What a listener was asked to do: datagrams, and None for each look that found nothing more."""

    def __init__(self) -> None:
        self.told: list[bytes | None] = []
        self.undelivered: list[bytes] = []

    def on_datagram(self, data: bytes, _: Flow) -> bool:
        self.told.append(data)
        return not data.startswith(b"INVITE")

    def on_read(self, drained: bool) -> None:
        if drained:
            self.told.append(None)


async def _when(heard: Heard, count: int) -> None:
    async with asyncio.timeout(10):
        while len(heard.told) < count:
            await asyncio.sleep(0)


def _listener(heard: Heard) -> UdpListener:
    return UdpListener(
        asyncio.get_running_loop(), ("127.0.0.1", 0), heard.on_datagram,
        admits=lambda host, data: True, on_read=heard.on_read, on_undelivered=heard.undelivered.append,
    )  # fmt: skip


@contextmanager
def listening(heard: Heard) -> Iterator[socket.socket]:
    """A listener's peer."""
    with closing(_listener(heard)) as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(listener.name)
        yield peer


def test_nothing_is_lost_and_new_calls_wait_until_all_is_read() -> None:
    async def story() -> list[bytes | None]:
        heard = Heard()
        with listening(heard) as peer:
            for count, datagrams in (
                (2, [b"INVITE 1"]),
                (3, [b"BYE 1"]),
                (4, [b"BYE 2"]),
                (7, [b"INVITE 2", b"BYE 3"]),
                (10, [b"BYE 4", b"BYE 5"]),
            ):
                for datagram in datagrams:
                    peer.send(datagram)
                await _when(heard, count)
        return heard.told

    assert asyncio.run(story()) == [
        *(b"INVITE 1", None),
        # It came alone: the next is not looked for.
        *(b"BYE 1", b"BYE 2"),
        # The new call is served when nothing else is left.
        *(b"INVITE 2", b"BYE 3", None),
        # Now they crowd, so all is read at one wake.
        *(b"BYE 4", b"BYE 5", None),
    ]


@pytest.mark.parametrize("others", [BATCH - 1, BATCH, BATCH + 1])
def test_a_new_call_before_a_crowd_hears_that_all_is_read_though_nothing_more_comes(others: int) -> None:
    async def story() -> list[bytes | None]:
        heard = Heard()
        with listening(heard) as peer:
            peer.send(b"INVITE 1")
            await _when(heard, 2)
            for datagram in [b"INVITE 2", *[b"BYE 1"] * others]:
                peer.send(datagram)
            await _when(heard, 2 + others + 2)
        return heard.told[2:]

    told = asyncio.run(story())
    assert [data for data in told if data] == [b"INVITE 2", *[b"BYE 1"] * others]
    assert told[-1] is None


def test_a_crowd_without_new_calls_is_noticed_though_the_loop_has_other_work() -> None:
    """Answers, while the new calls come over TCP: one a turn of a loop that is busy would be too few."""

    async def story() -> int:
        heard, turns = Heard(), 0
        with listening(heard) as peer:
            peer.send(b"BYE 1")
            await _when(heard, 2)
            for _ in range(10 * ALONE):
                peer.send(b"SIP/2.0 200")
            async with asyncio.timeout(10):
                while len(heard.told) < 2 + 10 * ALONE:
                    await asyncio.sleep(0)
                    turns += 1
        return turns

    assert asyncio.run(story()) < 3 * ALONE


def _arrived(peer: socket.socket) -> list[bytes]:
    found = []
    while select.select([peer], [], [], 0)[0]:
        found.append(peer.recv(100))
    return found


def test_what_is_sent_for_one_wake_leaves_together_and_in_order() -> None:
    async def story(peer: socket.socket) -> list[list[bytes]]:
        listener, told, looks = _listener(Heard()), asyncio.Event(), []

        async def who_is_told() -> None:
            await told.wait()
            listener.send(b"2", peer.getsockname())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(who_is_told())
            await asyncio.sleep(0)
            listener.send(b"1", peer.getsockname())
            told.set()
            for _ in range(4):
                looks.append(_arrived(peer))
                await asyncio.sleep(0)
        listener.send(b"3", peer.getsockname())
        listener.close()
        return [*looks, _arrived(peer)]

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        seen = asyncio.run(story(peer))
    # All of one wake at one time, and what is sent last before the listener is closed.
    assert [found for found in seen if found] == [[b"1", b"2"], [b"3"]]


def test_a_datagram_that_the_kernel_can_not_send_is_told_and_the_others_leave() -> None:
    async def story(peer: socket.socket) -> tuple[list[bytes], list[bytes]]:
        heard = Heard()
        with closing(_listener(heard)) as listener:
            for data, to in (
                (b"1", peer.getsockname()),
                (b"2", ("127.0.0.1", 0)),
                (b"3", peer.getsockname()),
            ):
                listener.send(data, to)
            async with asyncio.timeout(10):
                while not heard.undelivered:
                    await asyncio.sleep(0)
        return heard.undelivered, _arrived(peer)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        assert asyncio.run(story(peer)) == ([b"2"], [b"1", b"3"])
