"""A phone that says exactly what a test tells it, in any order: for crossings that no real phone makes."""

import asyncio
import itertools
import socket
from dataclasses import dataclass, field

from tests.support.ports import own_address

_marks = itertools.count(1)


def sdp(host: str, port: int, *lines: str, formats: str = "0 8 101") -> str:
    """A description of audio at ``host:port``; ``lines`` follow the m-line's own."""
    family = "IP6" if ":" in host else "IP4"
    head = ["v=0", f"o=- 1 1 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    body = [f"m=audio {port} RTP/AVP {formats}", "a=rtpmap:101 telephone-event/8000", *lines]
    return "\r\n".join([*head, *body, ""])


@dataclass(frozen=True)
class Said:
    """A message that came in."""

    start: str
    lines: tuple[str, ...]
    body: str
    source: tuple[str, int]

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        found = [line.partition(":") for line in self.lines]
        return [value.strip() for key, _, value in found if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        """The first value of a header, empty if there is none."""
        return next(iter(self.all(name)), "")

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method."""
        number, _, method = self.get("CSeq").partition(" ")
        return int(number), method

    @property
    def insists(self) -> bool:
        """Whether it is said again until it is answered: all but provisional answers that want no PRACK."""
        return not self.start.startswith("SIP/2.0 1") or bool(self.get("RSeq"))

    @property
    def audio_port(self) -> int:
        """The port of the first audio line; 0 without one."""
        ports = [line.split()[1] for line in self.body.splitlines() if line.startswith("m=audio")]
        return int(ports[0]) if ports else 0


def read(data: bytes, source: tuple[str, int]) -> Said:
    """A message taken apart."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    return Said(start, tuple(lines), body, source)


@dataclass
class RawPhone:
    """A UDP socket of its own address; a context manager.

    ``server`` is where requests go.  ``log`` has everything that came, in order, but once: what is said again
    since our answer was late, on a machine that stood still, say, is no news to a phone.
    """

    server: tuple[str, int]
    host: str = field(default_factory=own_address)
    log: list[Said] = field(default_factory=list)
    _came: set[Said] = field(default_factory=set)
    _heard: set[Said] = field(default_factory=set)

    def __enter__(self) -> "RawPhone":
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((self.host, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.tag = f"tag{next(_marks)}"
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def sdp(self, *lines: str, port: int = 4000, formats: str = "0 8 101") -> str:
        """A description of this phone's audio."""
        return sdp(self.host, port, *lines, formats=formats)

    async def send(
        self, start: str, lines: list[str], body: str = "", to: tuple[str, int] | None = None
    ) -> None:
        """One message; Content-Length is added, and the Content-Type of a description unless one is given."""
        typed = any(line.startswith("Content-Type:") for line in lines)
        kind = ["Content-Type: application/sdp"] if body and not typed else []
        text = "\r\n".join([start, *lines, *kind, f"Content-Length: {len(body)}", "", body])
        await asyncio.get_running_loop().sock_sendto(self.socket, text.encode(), to or self.server)

    async def hear(self, *starts: str, method: str | None = None, limit_s: float = 30) -> Said:
        """The next message that begins like one of ``starts``, and was not heard yet; others are passed over.

        ``method`` is that of an answer's CSeq.  Raises TimeoutError, quoting what came.
        """
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    said = await self._next()
                    wanted = said.start.startswith(starts) and method in (None, said.cseq[1])
                    if wanted and not (said.insists and said in self._heard):
                        self._heard.add(said)
                        return said
        except TimeoutError:
            heard = "\n".join(said.start for said in self.log)
            raise TimeoutError(f"{starts} did not come; what came:\n{heard}") from None

    async def _next(self) -> Said:
        data, source = await asyncio.get_running_loop().sock_recvfrom(self.socket, 65535)
        said = read(data, source[:2])
        if not (said.insists and said in self._came):
            self._came.add(said)
            self.log.append(said)
        return said

    # -- as caller ------------------------------------------------------------------------------------

    async def invite(self, number: str, body: str = "", *extra: str) -> "Outgoing":
        """A new call; without ``body`` a late offer."""
        call = Outgoing(self, number, f"raw-{next(_marks)}@{self.host}")
        await call.request("INVITE", body, *extra)
        return call

    # -- as target ------------------------------------------------------------------------------------

    async def answer(
        self, to: Said, status: int, body: str = "", *extra: str, tag: str | None = None, phrase: str = "Said"
    ) -> None:
        """An answer to a request that came."""
        recipient = to.get("To")
        if ";tag=" not in recipient and status > 100:
            recipient += f";tag={tag or self.tag}"
        lines = [f"Via: {via}" for via in to.all("Via")]
        lines += [f"From: {to.get('From')}", f"To: {recipient}", f"Call-ID: {to.get('Call-ID')}"]
        lines += [f"CSeq: {to.get('CSeq')}", f"Contact: <sip:target@{self.address}>", *extra]
        await self.send(f"SIP/2.0 {status} {phrase}", lines, body, to.source)

    async def say(self, invite: Said, method: str, cseq: int, body: str = "", *extra: str) -> None:
        """A request within the dialog of a call that came (and was answered with our own tag)."""
        lines = [
            f"Via: SIP/2.0/UDP {self.address};branch=z9hG4bK{next(_marks)};rport",
            "Max-Forwards: 70",
            f"From: {invite.get('To')};tag={self.tag}",
            f"To: {invite.get('From')}",
            f"Call-ID: {invite.get('Call-ID')}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:target@{self.address}>",
            *extra,
        ]
        uri = invite.get("Contact").partition("<")[2].partition(">")[0]
        await self.send(f"{method} {uri} SIP/2.0", lines, body, invite.source)


@dataclass
class Outgoing:
    """One call of a raw phone."""

    phone: RawPhone
    number: str
    call_id: str
    cseq: int = 0
    branch: str = ""
    remote_tag: str = ""

    async def request(self, method: str, body: str = "", *extra: str, cseq: int | None = None) -> None:
        """A request of the call: ACK and CANCEL keep the INVITE's CSeq, CANCEL its branch too."""
        phone = self.phone
        if cseq is None and method not in ("ACK", "CANCEL"):
            self.cseq += 1
        if method != "CANCEL":
            branch = f"z9hG4bK{next(_marks)}"
            self.branch = branch if method == "INVITE" else self.branch
        else:
            branch = self.branch
        host, port = phone.server
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        tag = f";tag={self.remote_tag}" if self.remote_tag and method != "CANCEL" else ""
        lines = [
            f"Via: SIP/2.0/UDP {phone.address};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:+12125550100@{phone.address}>;tag={phone.tag}",
            f"To: <sip:{self.number}@{at}>{tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq or self.cseq} {method}",
            f"Contact: <sip:caller@{phone.address}>",
            *extra,
        ]
        await phone.send(f"{method} sip:{self.number}@{at} SIP/2.0", lines, body)

    async def hear(self, *starts: str, method: str | None = "INVITE", limit_s: float = 30) -> Said:
        """An answer to this call, whose dialog is noted."""
        said = await self.phone.hear(
            *(f"SIP/2.0 {start}" for start in starts), method=method, limit_s=limit_s
        )
        tag = said.get("To").partition(";tag=")[2]
        if tag:
            self.remote_tag = tag
        return said

    async def refused(self, *statuses: str) -> Said:
        """A refusal, acknowledged."""
        said = await self.hear(*statuses)
        host, port = self.phone.server
        lines = [f"Via: SIP/2.0/UDP {self.phone.address};branch={self.branch};rport"]
        lines += [f"From: {said.get('From')}", f"To: {said.get('To')}", f"Call-ID: {self.call_id}"]
        lines += [f"CSeq: {said.cseq[0]} ACK", "Max-Forwards: 70"]
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        await self.phone.send(f"ACK sip:{self.number}@{at} SIP/2.0", lines)
        return said
