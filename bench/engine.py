"""The SIP engine alone: a bridged call through two legs, replayed without IO.

    python bench/engine.py [--calls N] [--runs N] [--profile]

One call is the caller's INVITE in, 100 and 180 out, our INVITE to the target out, its 100, 180 and
200 in, ACK out, 200 to the caller, its ACK, its BYE and our 200, our BYE to the target and its 200:
seven messages parsed and seven printed, with transactions, dialogs and timers.  Timers run on a clock
that moves 2 ms a call (500 calls a second); what lingers for 32 s is there from the start, so each call
also pays for the end of an earlier one.  What the peers say is worked out beforehand, with chance from a
seed, and then replayed to a second stack: nothing but the engine runs between two looks at the clock, since
a look costs a system call.  Prints microseconds of CPU per call.
"""

import argparse
import cProfile
import pstats
import random
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial

from edge.memory import collect_seldom
from edge.sip.events import Acked, Allow, Answered, Destination, Ended, Flow, OutgoingCall, Progress
from edge.sip.invite import Invite
from edge.sip.message import Request
from edge.sip.stack import Stack
from edge.sip.timers import LIMIT

SDP = (
    b"v=0\r\no=- 3724394400 3724394405 IN IP4 198.51.100.20\r\ns=-\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\n"
    b"m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
)
CALLER = Flow("udp", ("192.0.2.1", 5060), ("198.51.100.20", 5060))
TARGET = Destination("udp", "203.0.113.9", 5060)
BACK = Flow("udp", ("192.0.2.1", 5060), ("203.0.113.9", 5060))
STEP_S = 0.002
BATCH = 50
"""Calls between two looks at the clock: few, so that what they say is still in the cache."""


class SeededChance:
    """The same tags and branches each time, as cheap as those of the operating system."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        self._tokens: list[str] = []

    def token(self) -> str:
        if not self._tokens:
            block = self._random.randbytes(8 * 256).hex()
            self._tokens = [block[at : at + 16] for at in range(0, len(block), 16)]
        return self._tokens.pop()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class Replay:
    """The stack's surroundings: what it sends lands in ``sent``."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.now = 0.0
        clock = partial(getattr, self, "now")  # no Python function, as the server's is none
        self.stack = Stack(self, clock, SeededChance(), access=self, on_call=self.on_call, wake=lambda: None)

    def hear(self, call: "Datagrams") -> None:
        """One whole call."""
        receive = self.stack.receive
        self.sent = []
        for data, flow in call:
            receive(data, flow)
        self.pass_time()

    def pass_time(self) -> None:
        """Until the next call begins."""
        self.now += STEP_S
        self.stack.pump()

    def send(self, data: bytes, flow: Flow) -> bool:
        self.sent.append(data)
        return True

    def route(self, destination: Destination, local: tuple[str, int] | None = None) -> Flow:
        return BACK

    def way(self, host: str) -> None:
        return None

    def alive(self, flow: Flow) -> bool:
        return True

    def sent_by(self, flow: Flow) -> str:
        return "192.0.2.1:5060"

    def judge(self, request: Request, flow: Flow) -> Allow:
        return Allow("trk_1")

    def on_call(self, caller: Invite) -> None:
        """Dials the target and joins the two, as a call without prompts does."""
        target = self.stack.call(
            OutgoingCall(
                "sip:sales@203.0.113.9",
                TARGET,
                "<sip:+18005550100@192.0.2.1>",
                "<sip:sales@203.0.113.9>",
                (("X-Edge-Call-ID", "call_01hf"),),
                SDP,
            )
        )

        def on_target(event: object) -> None:
            if isinstance(event, Progress):
                caller.progress(event.status, event.sdp)
            elif isinstance(event, Answered):
                target.ack()
                caller.answer(event.sdp)

        def on_caller(event: object) -> None:
            if isinstance(event, Ended):
                target.hang_up()
            else:
                assert isinstance(event, Acked)

        target.on_event = on_target
        caller.on_event = on_caller


def caller_says(method: str, number: int, cseq: int, to_tag: str, body: bytes = b"") -> bytes:
    """A request of the carrier."""
    head = (
        f"{method} sip:+18005550100@192.0.2.1:5060 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 198.51.100.20:5060;rport;branch=z9hG4bKPj{number:08x}{method}{cseq}\r\n"
        f'Max-Forwards: 70\r\nFrom: "Jane Caller" <sip:+12025550123@198.51.100.20>;tag=as{number:08x}\r\n'
        f"To: <sip:+18005550100@192.0.2.1>{to_tag}\r\nCall-ID: {number:08x}-7d1e-4b1c@198.51.100.20\r\n"
        f"CSeq: {cseq} {method}\r\nContact: <sip:+12025550123@198.51.100.20:5060>\r\n"
        "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE\r\nUser-Agent: Carrier SBC\r\n"
    )
    if body:
        head += "Supported: timer, replaces\r\nContent-Type: application/sdp\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def target_says(request: bytes, status: str, number: int, body: bytes = b"") -> bytes:
    """An answer of the target to a request of ours."""
    lines = request.decode().split("\r\n")
    copied = [line for line in lines if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
    tagged = [
        f"{line};tag=t{number:x}" if line.startswith("To:") and "tag=" not in line else line
        for line in copied
    ]
    extra = ["Contact: <sip:sales@203.0.113.9:5060>"] + (["Content-Type: application/sdp"] if body else [])
    head = "\r\n".join([f"SIP/2.0 {status}", *tagged, *extra, f"Content-Length: {len(body)}"])
    return head.encode() + b"\r\n\r\n" + body


def to_tag(answer: bytes) -> str:
    line = next(line for line in answer.decode().split("\r\n") if line.startswith("To:"))
    return line[line.index(";tag=") :]


Datagrams = list[tuple[bytes, Flow]]


class Script:
    """What the peers say in each call, found out by talking to a stack."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.number = 0
        self.said: Datagrams = []

    def feed(self, data: bytes, flow: Flow) -> list[bytes]:
        """One datagram in; what went out."""
        self.said.append((data, flow))
        self.replay.sent = []
        self.replay.stack.receive(data, flow)
        return self.replay.sent

    def call(self) -> Datagrams:
        """One bridged call from INVITE to the last 200; answers what was said to the stack."""
        n = self.number = self.number + 1
        self.said = []
        _, dialled = self.feed(caller_says("INVITE", n, 1, "", SDP), CALLER)
        self.feed(target_says(dialled, "100 Trying", n), BACK)
        (ringing,) = self.feed(target_says(dialled, "180 Ringing", n), BACK)
        ack, answer = self.feed(target_says(dialled, "200 OK", n, SDP), BACK)
        assert ack.startswith(b"ACK") and answer.startswith(b"SIP/2.0 200")
        tag = to_tag(ringing)
        self.feed(caller_says("ACK", n, 1, tag), CALLER)
        _, bye = self.feed(caller_says("BYE", n, 2, tag), CALLER)
        self.feed(target_says(bye, "200 OK", n), BACK)
        self.replay.pass_time()
        return self.said


def function_calls() -> int:
    """Python functions that one call runs: the same in each run, however busy the machine is."""
    replay = Replay()
    script = Script(replay)
    for _ in range(10):
        script.call()
    found = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal found
        found += event == "call"

    receive = replay.stack.receive

    def counted(data: bytes, flow: Flow) -> None:
        sys.setprofile(count)
        receive(data, flow)
        sys.setprofile(None)

    replay.stack.receive = counted  # type: ignore[method-assign]
    script.call()
    return found


def runs(calls: int, count: int) -> Iterator[float]:
    """Microseconds per call of each run, once as many transactions end as begin."""
    script, replay = Script(Replay()), Replay()
    collect_seldom()  # as the server does once it is up
    for _ in range(int(LIMIT / STEP_S) + calls // 4):
        replay.hear(script.call())
    for _ in range(count):
        spent = 0
        for _ in range(calls // BATCH):
            said = [script.call() for _ in range(BATCH)]
            start = time.process_time_ns()
            for call in said:
                replay.hear(call)
            spent += time.process_time_ns() - start
        yield spent / (calls // BATCH * BATCH) / 1000
    assert "dropped_stray_response" not in replay.stack.counters


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--profile", action="store_true")
    chosen = options.parse_args()
    if chosen.profile:
        profile = cProfile.Profile()
        profile.runcall(lambda: list(runs(chosen.calls, 1)))
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        return
    figures = list(runs(chosen.calls, chosen.runs))
    spread = f"{min(figures):.0f}-{max(figures):.0f}"
    print(
        f"SIP engine, bridged call: {statistics.median(figures):.0f} us of CPU ({spread}, {chosen.runs} runs)"
        f" in {function_calls()} function calls"
    )


if __name__ == "__main__":
    main()
