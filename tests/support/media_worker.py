"""A worker inside the test's process, on a clock that the test sets: real sockets, no waiting."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from edge.media import control
from edge.media.engine import LegCounters, Plan
from edge.media.library import Library
from edge.media.reactor import Reactor
from edge.media.worker import Worker


class WorkerUnderTest:
    """Speaks the control protocol to it, and lets it do its rounds."""

    def __init__(self, worker: Worker, reactor: Reactor, ours: socket.socket, hosts: tuple[str, ...]) -> None:
        self.worker, self.reactor = worker, reactor
        self._hosts = hosts
        self.now = 1000.0
        self._ours = ours
        self._library = Library()
        self._heard: list[tuple[int, bytes]] = []

    def say(self, *frames: bytes) -> None:
        """Says it, and lets the worker act on it."""
        self._ours.send(b"".join(frames))
        self.settle()

    def end(self) -> None:
        """Closes what it holds."""
        self._library.close()
        self.worker.close()

    def settle(self) -> None:
        """Rounds until nothing is left to read."""
        for _ in range(12):
            self.worker.round(0)

    def advance(self, seconds: float) -> None:
        """Lets time pass in steps of a millisecond, with all that is paced."""
        for _ in range(round(seconds * 1000)):
            self.now = round(self.now + 0.001, 3)
            self.reactor.pacer.run(round(self.now * 1000))
        self.settle()

    def heard(self, kind: int) -> list[bytes]:
        """The bodies of all frames of a kind that it said, once."""
        while True:
            try:
                message = self._ours.recv(control.READ_SIZE)
            except BlockingIOError:
                break
            self._heard.extend(control.frames(message))
        bodies = [body for each, body in self._heard if each == kind]
        self._heard = [(each, body) for each, body in self._heard if each != kind]
        return bodies

    def ports(self, count: int) -> list[int]:
        """Orders ports and takes them."""
        self.say(control.encode_port(control.WANT, count))
        return [port for body in self.heard(control.STOCK) for port in control.decode_ports(body)]

    def leg(self, plan: Plan) -> tuple[str, int]:
        """A new leg; where its peer sends to."""
        (port,) = self.ports(1)
        self.update(port, plan)
        return self.host_for(plan), port

    def host_for(self, plan: Plan) -> str:
        """Its address of the family of the plan's peer."""
        peer = plan.remote[0] if plan.remote is not None else self._hosts[0]
        return next(host for host in self._hosts if (":" in host) == (":" in peer))

    def load(self, frames: dict[str, bytes]) -> int:
        """A prompt; its number."""
        stored = self._library.put("prompt", frames)
        socket.send_fds(self._ours, [stored.frame], [stored.fd])
        self.settle()
        return stored.number

    def update(self, port: int, plan: Plan) -> None:
        self.say(control.encode_update(port, plan))

    def bridge(self, a: tuple[str, int], b: tuple[str, int]) -> None:
        self.say(control.encode_bridge(a[1], b[1]))

    def counters(self, leg: tuple[str, int]) -> LegCounters:
        self.say(control.encode_port(control.QUERY, leg[1]))
        return control.decode_counters(self.heard(control.COUNTERS)[-1])[1]

    def close(self, leg: tuple[str, int]) -> LegCounters:
        self.say(control.encode_port(control.CLOSE, leg[1]))
        return control.decode_counters(self.heard(control.COUNTERS)[-1])[1]


@contextmanager
def worker_under_test(*hosts: str, **changes: float) -> Iterator[WorkerUnderTest]:
    """A worker on the ports 20000-20099 of a loopback address of its own, or of one in each family."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    times: dict[str, float] = {"media_timeout_s": 60, "relatch_silence_s": 3, "quarantine_s": 5}
    config = control.WorkerConfig(hosts, 20000, 20099, 0, 1, **(times | changes))
    box: list[WorkerUnderTest] = []
    with ours, theirs, Reactor(lambda: box[0].now if box else 1000.0) as reactor:
        worker = Worker(theirs, reactor, config)
        reactor.on_fault = _fail
        box.append(WorkerUnderTest(worker, reactor, ours, hosts))
        try:
            yield box[0]
        finally:
            box[0].end()


def _fail(error: BaseException) -> None:
    raise error
