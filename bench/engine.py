"""The SIP engine alone: a bridged call through two legs, replayed without IO.

    python bench/engine.py [--calls N] [--runs N] [--profile]

One call is the caller's INVITE in, 100 and 180 out, our INVITE to the target out, its 100, 180 and
200 in, ACK out, 200 to the caller, its ACK, its BYE and our 200, our BYE to the target and its 200:
seven messages parsed and seven printed, with transactions, dialogs and timers.  Timers run on a clock
that moves 2 ms a call (500 calls a second); what lingers for 32 s is there from the start, so each call
also pays for the end of an earlier one.  Prints microseconds of CPU per call.
"""

import argparse
import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Iterator

from edge.memory import collect_seldom
from edge.sip.chance import SystemChance
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


class Replay:
    """The stack's surroundings: what it sends lands in ``sent``."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.now = 0.0
        self.stack = Stack(
            self, lambda: self.now, SystemChance(), access=self, on_call=self.on_call, wake=lambda: None
        )

    def send(self, data: bytes, flow: Flow) -> bool:
        self.sent.append(data)
        return True

    def route(self, destination: Destination) -> Flow:
        return BACK

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


class Script:
    """The peers' messages of each call, made outside of the measured time."""

    def __init__(self, replay: Replay, first: int) -> None:
        self.replay = replay
        self.number = first
        self.spent = 0.0

    def feed(self, data: bytes, flow: Flow) -> list[bytes]:
        """One datagram in; what went out.  Only this is measured."""
        replay = self.replay
        replay.sent = []
        start = time.process_time_ns()
        replay.stack.receive(data, flow)
        self.spent += time.process_time_ns() - start
        return replay.sent

    def call(self) -> None:
        """One bridged call from INVITE to the last 200."""
        n = self.number = self.number + 1
        _, dialled = self.feed(caller_says("INVITE", n, 1, "", SDP), CALLER)
        self.feed(target_says(dialled, "100 Trying", n), BACK)
        (ringing,) = self.feed(target_says(dialled, "180 Ringing", n), BACK)
        ack, answer = self.feed(target_says(dialled, "200 OK", n, SDP), BACK)
        assert ack.startswith(b"ACK") and answer.startswith(b"SIP/2.0 200")
        tag = to_tag(ringing)
        self.feed(caller_says("ACK", n, 1, tag), CALLER)
        _, bye = self.feed(caller_says("BYE", n, 2, tag), CALLER)
        self.feed(target_says(bye, "200 OK", n), BACK)
        self.replay.now += STEP_S
        start = time.process_time_ns()
        self.replay.stack.pump()
        self.spent += time.process_time_ns() - start


def function_calls() -> int:
    """Python functions that one call runs: the same in each run, however busy the machine is."""
    replay = Replay()
    script = Script(replay, 0)
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
    replay = Replay()
    script = Script(replay, 0)
    collect_seldom()  # as the server does once it is up
    for _ in range(int(LIMIT / STEP_S) + calls // 4):
        script.call()
    for _ in range(count):
        script.spent = 0.0
        for _ in range(calls):
            script.call()
        yield script.spent / calls / 1000


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
