"""Signalling load: SIPp caller -> server -> SIPp target, and the server's CPU for it."""

import csv
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import stream
from bench.load import Ends, Load, Placed
from bench.proc import Window, percentile

HERE = Path(__file__).parent
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextmanager
def _sipp(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    common = ["-nostdin", "-nd", "-default_behaviors", "all,-bye", "-buff_size", "4194304"]
    process = subprocess.Popen(
        ["sipp", *arguments, *common, "-trace_stat", "-fd", "1"],
        **{"cwd": directory, **QUIET},  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _socket(at: tuple[str, int], media_port: int) -> list[str]:
    return ["-i", at[0], "-p", str(at[1]), "-mi", at[0], "-mp", str(media_port)]


def _last_statistics(directory: Path, pid: int) -> dict[str, str]:
    for path in directory.glob(f"*_{pid}_.csv"):
        rows = list(csv.reader(path.read_text().splitlines(), delimiter=";"))
        return dict(zip(rows[0], rows[-1], strict=False))
    return {}


def _times_ms(directory: Path, pid: int, name: str) -> list[float]:
    found = []
    for path in directory.glob(f"*_{pid}_rtt.csv"):
        for row in csv.reader(path.read_text().splitlines(), delimiter=";"):
            if len(row) > 2 and row[2] == name:
                found.append(float(row[1]))
    return found


def run(
    server: str,
    pid: int,
    ends: Ends,
    rate: int,
    duration_s: float,
    hold_s: float = 0.5,
    transport: str = "udp",
) -> dict[str, Any]:
    """Places ``rate`` calls a second for ``duration_s``, over ``udp`` or one connection of ``tcp`` or
    ``tls``; what they cost and how they went."""
    load = Load(server, ends, rate, int(rate * duration_s), hold_s, transport)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name:
        directory = Path(name)
        target = _sipp(directory, "-sf", str(HERE / "sipp/target.xml"), *_socket(ends.target, 40000))
        with target as target_process:
            time.sleep(0.6)
            with Window(pid, [target_process.pid]) as window:
                began = time.monotonic()
                placed = stream.run(load) if transport == "tls" else _place(directory, load)
                loaded_s = time.monotonic() - began
                time.sleep(1)  # what the server does after the last BYE is part of the call
        again = int(_last_statistics(directory, target_process.pid).get("Retransmissions(C)") or 0)
        return _result(load, placed, again, window, loaded_s - hold_s)


def _place(directory: Path, load: Load) -> Placed:
    """SIPp as the caller."""
    duration_s = load.calls / load.rate
    arguments = [
        *(load.server, "-sf", str(HERE / "sipp/caller.xml"), "-s", load.ends.number),
        *_socket(load.ends.caller, 30000),
        *("-r", str(load.rate), "-m", str(load.calls), "-l", str(int(load.rate * (load.hold_s + 40) + 50))),
        *("-d", str(int(load.hold_s * 1000)), "-recv_timeout", "10000"),
        *(("-t", "t1") if load.transport == "tcp" else ()),
        *("-trace_rtt", "-rtt_freq", "100", "-timeout", f"{duration_s + load.hold_s + 40:.0f}s"),
    ]
    with _sipp(directory, *arguments) as caller:
        caller.wait(duration_s + load.hold_s + 60)
    found = _last_statistics(directory, caller.pid)
    again = int(found.get("Retransmissions(C)") or 0)
    return Placed(int(found.get("SuccessfulCall(C)") or 0), _times_ms(directory, caller.pid, "answer"), again)


def _result(load: Load, placed: Placed, again: int, window: Window, loaded_s: float) -> dict[str, Any]:
    good, answers = placed.good, placed.answers_ms
    return {
        "rate": load.rate,
        "calls": load.calls,
        "failed": load.calls - good,
        "achieved_cps": round(good / max(loaded_s, 0.001), 1),
        "cpu_ms_per_call": round(1000 * window.cpu / good, 3) if good else None,
        "answer_p50_ms": percentile(answers, 50),
        "answer_p99_ms": percentile(answers, 99),
        "retransmissions": placed.retransmissions + again,
        "others_pct": window.others_pct,
        "steal_pct": window.steal_pct,
    }
