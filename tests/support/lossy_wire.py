"""A network in memory for SIP stacks: virtual time, seeded loss, copies and reordering.

    net = Network(seed=1, loss=0.3)
    a, b = net.node("192.0.2.1"), net.node("192.0.2.2")
    leg = a.dial(b)
    net.run(60)

Everything that was sent is in ``net.log``; a test that speaks raw SIP uses ``net.peer``.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.sip.events import Allow, Deny, Destination, Flow, InviteEvent, OutgoingCall
from edge.sip.gate import Limits
from edge.sip.invite import Invite
from edge.sip.message import Request, Response
from edge.sip.parser import parse
from edge.sip.stack import Stack
from edge.sip.timers import NEVER

Address = tuple[str, int]
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Network:
    """Datagrams between nodes; ``now`` is everyone's clock."""

    def __init__(
        self,
        seed: int = 0,
        *,
        loss: float = 0.0,
        copies: float = 0.0,
        jitter_s: float = 0.0,
        transport: str = "udp",
    ) -> None:
        self.now = 1000.0
        self.random = random.Random(seed)
        self.loss, self.copies, self.jitter_s = loss, copies, jitter_s
        self.transport = transport
        self.log: list[tuple[float, Address, Address, bytes]] = []
        self.nodes: dict[Address, Node | Peer] = {}
        self._flying: list[tuple[float, int, Address, Address, bytes]] = []
        self._count = 0

    def node(self, host: str, port: int = 5060, **options: object) -> "Node":
        """A stack of ours at this address."""
        node = Node(self, (host, port), **options)  # type: ignore[arg-type]
        self.nodes[node.address] = node
        return node

    def peer(self, host: str, port: int = 5060) -> "Peer":
        """Someone who speaks raw SIP."""
        peer = self.nodes[(host, port)] = Peer(self, (host, port))
        return peer

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        """Sends one datagram, as well as this network can."""
        self.log.append((self.now, source, target, data))
        copies = 0 if self.random.random() < self.loss else 1
        copies += self.random.random() < self.copies
        for _ in range(copies):
            self._count += 1
            at = self.now + 0.005 + self.random.random() * self.jitter_s
            heapq.heappush(self._flying, (at, self._count, source, target, data))

    def run(self, seconds: float) -> None:
        """Lets so much time pass."""
        end = self.now + seconds
        while True:
            at, act = self._next()
            if at > end:
                break
            self.now = max(self.now, at)
            act()
        self.now = end

    def _next(self) -> tuple[float, Callable[[], None]]:
        choices: list[tuple[float, int, Callable[[], None]]] = []
        if self._flying:
            choices.append((self._flying[0][0], 0, self._arrive))
        for node in self.nodes.values():
            if isinstance(node, Node):
                if node.awake:
                    choices.append((self.now, 1, node.pump))
                deadline = node.stack.timers.earliest
                if deadline < NEVER:
                    choices.append((deadline, 2, node.pump))
        if not choices:
            return float("inf"), lambda: None
        at, _, act = min(choices, key=lambda choice: choice[:2])
        return at, act

    def _arrive(self) -> None:
        _, _, source, target, data = heapq.heappop(self._flying)
        node = self.nodes.get(target)
        if node is not None:
            node.receive(data, source)

    def sent(self, start: str, source: "Node | Peer | None" = None) -> list[float]:
        """When messages that start so were sent, in seconds from the network's start."""
        return [
            round(at - 1000.0, 3)
            for at, origin, _, data in self.log
            if data.startswith(start.encode()) and (source is None or origin == source.address)
        ]


class Node:
    """A stack and its surroundings.  ``calls`` are the calls to it, ``heard`` all events by usage,
    ``strangers`` who is not known, ``to_movers`` what a call's peer is told that comes from another place."""

    def __init__(
        self,
        net: Network,
        address: Address,
        *,
        verdict: Allow | Deny | None = None,
        limits: Limits | None = None,
        on_call: Callable[[Invite], None] | None = None,
    ) -> None:
        self.net, self.address = net, address
        self.verdict = verdict or Allow("trk_1")
        self.to_movers: Deny | None = None
        self.calls: list[Invite] = []
        self.heard: dict[Invite, list[InviteEvent]] = {}
        self.awake = False
        self.fails = False
        self._on_call = on_call
        self._tokens = 0
        self._connections = 0
        self.strangers: set[str] = set()
        self.stack = Stack(
            self, lambda: net.now, self, access=self, on_call=self._called, wake=self._wake, limits=limits,
            knows=lambda host: host not in self.strangers,
        )  # fmt: skip

    # the stack's surroundings
    def send(self, data: bytes, flow: Flow) -> bool:
        if not self.fails:
            self.net.carry(data, self.address, flow.remote)
        return not self.fails

    def route(self, destination: Destination, local: tuple[str, int] | None = None) -> Flow:
        remote = destination.host, destination.port
        if destination.transport == "tcp" and self.net.transport == "udp":
            self._connections += 1
            return Flow("tcp", self.address, remote, self._connections)
        return self.flow(remote)

    def way(self, host: str) -> None:
        return None

    def hang_up(self, flow: Flow) -> None:
        return None

    def alive(self, flow: Flow) -> bool:
        return True

    def sent_by(self, flow: Flow) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def token(self) -> str:
        self._tokens += 1
        return f"{self.net.random.getrandbits(48):012x}{self._tokens:04x}"

    def uniform(self, low: float, high: float) -> float:
        return self.net.random.uniform(low, high)

    answers_strangers = False

    def judge(self, request: Request, flow: Flow) -> Allow | Deny:
        return self.verdict

    def moved(self, request: Request, flow: Flow, peer_id: str) -> Deny | None:
        return self.to_movers

    def _wake(self) -> None:
        self.awake = True

    # what the network and the tests do
    def receive(self, data: bytes, source: Address) -> None:
        self.stack.receive(data, self.flow(source))

    def pump(self) -> None:
        self.awake = False
        self.stack.pump()

    def dial(self, target: "Node | Peer", sdp: bytes = SDP, **options: object) -> Invite:
        """Calls another node."""
        host, port = target.address
        call = OutgoingCall(
            f"sip:sales@{host}:{port}", Destination("udp", host, port),
            f"<sip:+12025550123@{self.address[0]}>", f"<sip:sales@{host}>", body=sdp, **options,  # type: ignore[arg-type]
        )  # fmt: skip
        return self.listen(self.stack.call(call))

    def listen(self, usage: Invite) -> Invite:
        """Notes a usage's events."""
        heard = self.heard[usage] = []
        usage.on_event = heard.append
        return usage

    def _called(self, usage: Invite) -> None:
        self.calls.append(self.listen(usage))
        if self._on_call is not None:
            self._on_call(usage)

    def flow(self, remote: Address) -> Flow:
        return Flow(self.net.transport, self.address, remote, 0 if self.net.transport == "udp" else 1)  # type: ignore[arg-type]


@dataclass
class Peer:
    """A hand-driven SIP peer: notes what it gets, sends what the test says."""

    net: Network
    address: Address
    got: list[Request | Response] = field(default_factory=list)

    def receive(self, data: bytes, source: Address) -> None:
        self.got.append(parse(data))

    def send(self, text: str | bytes, to: Node) -> None:
        """Raw SIP; newlines become CRLF, and Content-Length is added where it is missing."""
        data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
        self.net.carry(data, self.address, to.address)
        self.net.run(0.01)

    def request(
        self,
        method: str,
        to: Node,
        *,
        cseq: int = 1,
        to_tag: str = "",
        branch: str = "",
        call_id: str = "c1",
        uri: str = "",
        headers: str = "",
        body: bytes = b"",
    ) -> str:
        """Sends a request; answers its branch."""
        host, port = self.address
        branch = branch or f"z9hG4bK{method}{cseq}{call_id}"
        target = f"sip:sales@{to.address[0]}"
        head = (
            f"{method} {uri or target} SIP/2.0\nVia: SIP/2.0/UDP {host}:{port};branch={branch};rport\n"
            f"Max-Forwards: 70\nFrom: <sip:me@{host}>;tag=peer\n"
            f"To: <{target}>{';tag=' + to_tag if to_tag else ''}\n"
            f"Call-ID: {call_id}\nCSeq: {cseq} {method}\nContact: <sip:me@{host}:{port}>\n{headers}"
            f"{'Content-Type: application/sdp' + chr(10) if body and 'Content-Type' not in headers else ''}"
            f"Content-Length: {len(body)}\n\n"
        )
        self.send(head.replace("\n", "\r\n").encode() + body, to)
        return branch

    def respond(
        self,
        request: Request,
        status: int,
        to: Node,
        *,
        tag: str = "peertag",
        headers: str = "",
        body: bytes = b"",
    ) -> None:
        """Answers a request that was received."""
        kept = [f"{n}: {v}" for n, v in request.headers if n in ("Via", "From", "Call-ID", "CSeq")]
        target = request.headers.get("To") or ""
        line = f"To: {target}" if "tag=" in target else f"To: {target};tag={tag}"
        kind = "Content-Type: application/sdp\n" if body else ""
        contact = f"Contact: <sip:sales@{self.address[0]}:{self.address[1]}>\n"
        head = f"SIP/2.0 {status} X\n" + "\n".join([*kept, line]) + f"\n{contact}{headers}{kind}"
        self.send((head + f"Content-Length: {len(body)}\n\n").replace("\n", "\r\n").encode() + body, to)

    def requests(self, method: str) -> list[Request]:
        """The requests of this method that came."""
        return [m for m in self.got if isinstance(m, Request) and m.method == method]

    def statuses(self) -> list[int]:
        """The answers that came."""
        return [m.status for m in self.got if isinstance(m, Response)]
