"""Fuzz harness of the stack: what any peer may send, in any order, with our own commands in between.

An input is a play: parts, separated by 0x1E.  A part that begins with ``!`` is our own side (see ``OURS``)
or a pause (``!`` and seconds, at most 99); every other one is a datagram of the peer's, or a piece of its
stream in plays that begin with ``~``.  In datagrams ``%T`` is our tag, ``%B`` the branch, ``%I`` the Call-ID
and ``%F`` the From tag of our newest message but an ACK, so that a play can get into dialogs and answer us.
In plays that begin with ``?`` the peer is a stranger, and our side does nothing.
"""

import re
from collections.abc import Callable
from itertools import chain
from typing import Final

from edge.sip import parser
from edge.sip.errors import SipParseError
from edge.sip.events import Allow, Answered, Deny, InviteEvent, Offered, Referred, Replaced
from edge.sip.framer import Framer, Keepalive
from edge.sip.invite import Invite
from edge.sip.message import Request
from edge.sip.timers import NEVER
from tests.support.lossy_wire import SDP, Address, Network, Peer

END: Final = b"\x1e"
MAX_PARTS: Final = 40
PEER: Final[Address] = ("192.0.2.2", 5060)
STREAM, STRANGER = b"~", b"?"

OURS: Final[dict[bytes, Callable[[Invite], None]]] = {
    b"r": lambda call: call.progress(180),
    b"e": lambda call: call.progress(183, SDP),
    b"a": lambda call: call.answer(SDP),
    b"b": lambda call: call.reject(486),
    b"o": lambda call: call.offer_again(SDP),
    b"i": lambda call: call.info("application/dtmf-relay", b"Signal=1\r\n"),
    b"h": lambda call: call.hang_up("Q.850;cause=16"),
}
"""What our side does with its newest call; ``!d`` dials a new one, ``!t`` one that may be transferred."""


class Owner:
    """Our side: acknowledges answers, takes offers, and keeps its calls."""

    def __init__(self) -> None:
        self.calls: list[Invite] = []

    def took(self, call: Invite) -> None:
        """A new call, of either direction."""
        self.calls.append(call)

        def on_event(event: InviteEvent) -> None:
            if isinstance(event, Answered):
                call.ack(b"" if call.offer else SDP)
            elif isinstance(event, Offered):
                call.accept_offer(SDP)
            elif isinstance(event, Replaced):
                self.took(event.invite)
                event.invite.let_refer()
                event.invite.answer(SDP)
                call.hang_up()
            elif isinstance(event, Referred):
                event.transfer.accept()
                event.transfer.end(200 if event.replaces else 486, leave=bool(event.replaces))

        call.on_event = on_event


class Play:
    """One stack and one peer."""

    def __init__(self, *, stranger: bool, stream: bool) -> None:
        self.net = Network(transport="tcp" if stream else "udp")
        self.owner = Owner()
        verdict = Deny(403) if stranger else Allow("trk_1")
        self.us = self.net.node("192.0.2.1", verdict=verdict, on_call=self.owner.took)
        self.peer = Peer(self.net, PEER)  # not on the network: what is sent to it is in the log
        self.stranger = stranger
        self.framer = Framer() if stream else None

    def part(self, part: bytes) -> None:
        """One part."""
        command = part[1:]
        if not part.startswith(b"!"):
            self.receive(self.filled(part))
        elif command[:2].isdigit():
            self.net.run(int(command[:2]))
        elif self.stranger:
            pass
        elif command == b"d":
            self.owner.took(self.us.dial(self.peer))
        elif command == b"t":
            self.owner.took(self.us.dial(self.peer, allow_refer=True))
        elif command in OURS and self.owner.calls:
            OURS[command](self.owner.calls[-1])
        self.net.run(0.1)

    def filled(self, part: bytes) -> bytes:
        """A datagram with what it takes from our newest message."""
        if b"%" not in part or not self.net.log:
            return part
        sent = next((line[3] for line in reversed(self.net.log) if line[3][:3] != b"ACK"), b"")
        from_us = b"From" if sent.startswith(tuple(b"INVITE BYE CANCEL ACK INFO UPDATE".split())) else b"To"
        for mark, pattern in (
            (b"%T", rb"\r\n" + from_us + rb":[^\r]*;tag=([^;\r]*)"),
            (b"%F", rb"\r\nFrom:[^\r]*;tag=([^;\r]*)"),
            (b"%B", rb"branch=([^;\r]*)"),
            (b"%I", rb"\r\nCall-ID: ([^\r]*)"),
        ):
            found = re.search(pattern, sent)
            part = part.replace(mark, found[1] if found else b"")
        return part

    def receive(self, data: bytes) -> None:
        """From the peer: a datagram, or a piece of its stream."""
        before = len(self.net.log)
        if self.framer is None:
            self.us.receive(data, PEER)
        else:
            self.receive_piece(self.framer, data)
        sent = self.net.log[before:]
        if self.stranger:
            assert len(sent) <= 1 or self.framer is not None, "more than one answer to a stranger"
            assert all(len(line[3]) <= len(data) for line in sent) or self.framer is not None, "amplified"
            assert self.us.stack.counters["transactions"] == 0, "state for a stranger"
        for line in sent:
            check_sent(line[3])

    def receive_piece(self, framer: Framer, data: bytes) -> None:
        for frame in framer.feed(data):
            flow = self.us.flow(PEER)
            if isinstance(frame, SipParseError):
                self.us.stack.receive_error(frame, flow)
            elif not isinstance(frame, Keepalive):
                self.us.stack.receive_message(frame, flow)

    def end(self) -> None:
        """Our side hangs up; a while later nothing is left, whatever the peer did or did not."""
        for call in self.owner.calls:
            call.hang_up()
        self.net.run(400)
        counters = self.us.stack.counters
        assert (counters["transactions"], counters["dialogs"]) == (0, 0), counters
        assert self.us.stack.timers.earliest == NEVER, "a timer for nothing"
        for line in self.net.log:
            check_sent(line[3])


def check_sent(data: bytes) -> None:
    """Our requests are SIP; our answers have a status line, one head, and nothing smuggled in."""
    if data.startswith(b"SIP/2.0 "):
        head = data.partition(b"\r\n\r\n")[0]
        assert data[8:11].isdigit()
        assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    else:
        assert isinstance(parser.parse(data), Request)


def check(data: bytes) -> None:
    """Raises only if something is wrong with us."""
    play = Play(stranger=data[:1] == STRANGER, stream=data[:1] == STREAM)
    for part in data.lstrip(STREAM + STRANGER).split(END)[:MAX_PARTS]:
        play.part(part)
    play.end()


# -- seeds: whole calls, from which others are made --------------------------------------------------------


def _request(
    method: str, cseq: int = 1, to_tag: str = "", branch: str = "", body: bytes = b"", more: str = ""
) -> bytes:
    tag = f";tag={to_tag}" if to_tag else ""
    return _message(
        f"{method} sip:edge@192.0.2.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.2;rport;branch=z9hG4bK{branch or method}{cseq}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:p@192.0.2.2>;tag=p\r\nTo: <sip:edge@192.0.2.1>{tag}\r\n"
        f"Call-ID: c1\r\nCSeq: {cseq} {method}\r\n{more}",
        body,
    )


def _answer(
    status: int, method: str = "INVITE", cseq: int = 1, tag: str = "p", body: bytes = b"", more: str = ""
) -> bytes:
    return _message(
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=%B\r\nFrom: <sip:e@192.0.2.1>;tag=%F\r\n"
        f"To: <sip:p@192.0.2.2>;tag={tag}\r\nCall-ID: %I\r\nCSeq: {cseq} {method}\r\n{more}",
        body,
    )


def _message(head: str, body: bytes) -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in head else ""
    tail = f"Contact: <sip:p@192.0.2.2>\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    return (head + tail).encode() + body


_INVITE, _ACK = _request("INVITE", body=SDP), _request("ACK", to_tag="%T")
_BYE = _request("BYE", 2, "%T")
_TIMED = _request("INVITE", body=SDP, more="Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n")
_UP = (_INVITE, b"!r", b"!a", _ACK)
_OUT = (b"!d", _answer(180), _answer(200, body=SDP))
_TO = "Refer-To: <sip:q@192.0.2.9?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n"
_REFER = _request("REFER", 1, "%T", more=_TO).replace(b"Call-ID: c1", b"Call-ID: %I")
_TAKE = "Require: replaces\r\nReplaces: %I;to-tag=%F;from-tag=p"
_MIXED = (
    b"--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n--b\r\nContent-Type: application/isup\r\n"
    b"Content-Disposition: signal;handling=optional\r\n\r\n\x01\r\n--b--\r\n"
)

PLAYS: Final[list[tuple[bytes, ...]]] = [
    (*_UP, _BYE),
    (_INVITE, b"!e", _request("CANCEL", branch="INVITE")),
    (_INVITE, b"!b", _request("ACK", branch="INVITE")),
    (_INVITE, b"!a", b"!33"),
    (_request("INVITE"), b"!a", _request("ACK", to_tag="%T", body=SDP), b"!h", _answer(200, "BYE")),
    (*_UP, _request("INVITE", 2, "%T", body=SDP), _request("ACK", 2, "%T"), b"!h"),
    (*_UP, _request("UPDATE", 2, "%T", body=SDP), _request("INFO", 3, "%T"), _request("OPTIONS", 4, "%T")),
    (*_UP, b"!o", _answer(491), b"!03", _answer(200, body=SDP), b"!h"),
    (_TIMED, b"!a", _ACK, b"!60", _request("UPDATE", 2, "%T"), b"!99"),
    (*_OUT, b"!h", _answer(200, "BYE", 2)),
    (*_OUT, _answer(200, tag="q", body=SDP), b"!01", _answer(200, "BYE", 2, "q"), b"!h"),
    (b"!d", _answer(183, body=SDP), b"!h", _answer(200, "CANCEL"), _answer(487)),
    (b"!d", _answer(401, more='WWW-Authenticate: Digest realm="r", nonce="n"\r\n'), b"!h"),
    (b"!d", _answer(302, more="Contact: <sip:q@192.0.2.9>\r\n"), b"!d", _answer(503), b"!d", b"!40"),
    (b"!t", _answer(200, body=SDP), _REFER, _answer(200, "NOTIFY", 2)),
    (b"!t", _answer(180), _request("INVITE", body=SDP, more=f"{_TAKE};early-only\r\n"), _ACK, b"!20"),
    (b"!t", _answer(180), b"!01", _request("INVITE", body=SDP, more=f"{_TAKE}\r\n"), b"!h"),
    (_request("INVITE", body=_MIXED, more="Content-Type: multipart/mixed;boundary=b\r\n"), b"!a", _ACK),
    (_request("OPTIONS"), _request("REGISTER"), _request("BYE", 2, "none"), _request("PRACK", 3, "none")),
]  # fmt: skip


def seeds() -> list[bytes]:
    """The plays as inputs: over datagrams, over a stream, and by a stranger."""
    whole = [END.join(play) for play in PLAYS]
    return list(chain(whole, (STREAM + play for play in whole[:8]), (STRANGER + play for play in whole[:4])))
