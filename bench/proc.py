"""CPU, memory and noise from /proc alone: of a server's whole process tree, and of the machine."""

import os
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

HZ = os.sysconf("SC_CLK_TCK")


def _stat(pid: int | str) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(entry.name)[1]), []).append(int(entry.name))
            except (OSError, IndexError):
                continue
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_s(pid: int) -> float:
    """User and system time of the tree in seconds, ended children included (10 ms grain)."""
    ticks = 0
    for process in tree(pid):
        try:
            ticks += sum(int(field) for field in _stat(process)[11:15])
        except OSError:
            continue
    return ticks / HZ


class Memory(NamedTuple):
    """Proportional memory of a process tree in kB: of pages that are shared each process's part."""

    all: int
    own: int
    """Without pages of programs and libraries, which come and go as the kernel sees fit: with them two
    measurements of the same server differ by 10 MB."""


def memory_kb(pid: int) -> Memory:
    """What the tree takes now."""
    every = own = 0
    for process in tree(pid):
        try:
            rows = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        every += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
        own += sum(int(row.split()[1]) for row in rows if row.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return Memory(every, own)


def _machine_s() -> tuple[float, float]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq) / HZ, steal / HZ


def _own_s() -> float:
    return sum(os.times()[:4])


class Window:
    """What a server, the load and everybody else used of the machine while the block ran."""

    def __init__(self, pid: int, load_pids: Sequence[int] = ()) -> None:
        self.pid, self.load_pids = pid, load_pids

    def _load_s(self) -> float:
        return _own_s() + sum(cpu_s(pid) for pid in self.load_pids)

    def __enter__(self) -> Self:
        self._before = (cpu_s(self.pid), self._load_s(), *_machine_s())
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall = time.monotonic() - self._began
        server, load, busy, steal = self._before
        busy_now, steal_now = _machine_s()
        self.cpu = cpu_s(self.pid) - server
        cores = (os.cpu_count() or 1) * self.wall
        others = busy_now - busy - self.cpu - (self._load_s() - load)
        self.others_pct = round(100 * max(0.0, others) / cores, 1)
        self.steal_pct = round(100 * (steal_now - steal) / cores, 1)


def calibrate() -> dict[str, float]:
    """How fast this machine is just now: CPU time of a fixed piece of Python, and of a UDP round.

    A shared machine's CPU seconds are not all worth the same, so figures of different days are
    compared as ratios to the calibration beside them.
    """
    clock = time.process_time
    start, scratch = clock(), {}
    for i in range(60000):
        scratch[i & 255] = str(i).upper()
    python_s = clock() - start
    with socket.socket(type=socket.SOCK_DGRAM) as a, socket.socket(type=socket.SOCK_DGRAM) as b:
        b.bind(("127.0.0.1", 0))
        to, data, rounds = b.getsockname(), bytes(172), 8000
        start = clock()
        for _ in range(rounds):
            a.sendto(data, to)
            b.recv(2048)
        udp_s = clock() - start
    return {"python_ms": round(1e3 * python_s, 2), "udp_us": round(1e6 * udp_s / rounds, 2)}


def percentile(values: Iterable[float], percent: float) -> float | None:
    """The value below which ``percent`` of the values lie; None when there is none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def pin(core: int) -> None:
    """Keeps this process, and what it starts later, on one core, where there are several."""
    if (os.cpu_count() or 1) > core:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def first_among_groups(pid: int) -> None:
    """Raises the weight of the scheduler's autogroup (one a login or service), where we may.

    Where autogroup is on, nice acts only inside a group: other work on the machine would take its
    share of the server's core whatever its priority.
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text("-12")
    except OSError:
        return
