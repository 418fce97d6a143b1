"""The load's own caller over TLS tells calls that went well from those that did not."""

from pathlib import Path

from bench import stream
from bench.load import Ends, Load
from edge.clock import SystemClock
from edge.sip.endpoint import Endpoint, EndpointConfig, Listen
from edge.sip.guard import Guard
from edge.sip.invite import Invite
from edge.sip.known import Friends
from tests.sip.test_endpoint import Open
from tests.support.certificates import Authority
from tests.support.lossy_wire import SDP


async def test_answered_calls_are_good_and_refused_ones_are_not(tmp_path: Path) -> None:
    calls: list[Invite] = []

    def on_call(usage: Invite) -> None:
        calls.append(usage)
        if len(calls) % 3:
            usage.answer(SDP)
        else:
            usage.reject(503)

    tls = Authority(tmp_path).certificate("server", "IP:127.0.0.1")
    clock = SystemClock()
    guard = Guard(clock.monotonic, Friends())
    config = EndpointConfig([Listen("tls", "127.0.0.1", 0)], tls=tls)
    async with Endpoint(config, clock, Open(), on_call, guard=guard) as us:
        server = f"127.0.0.1:{us.addresses[0].port}"
        ends = Ends(("127.0.0.1", 0), ("127.0.0.1", 0), "+18005550100")
        placed = await stream.place(Load(server, ends, 1000, 30, 0.01, "tls"))
    assert (placed.good, len(placed.answers_ms)) == (20, 20)
    assert {usage.request.via.transport for usage in calls} == {"TLS"}
    assert len(calls) == 30
