"""New calls that are turned away unread: 503 made from their bytes, unparsed.

That must cost little, or refusing would be all that is done (RFC 5390); so their ACKs are not read either.
"""

import re
from typing import Final, NamedTuple

from edge.sip.events import Flow
from edge.sip.gate import may_answer
from edge.sip.layer import TransactionLayer
from edge.sip.server_transaction import ServerKey
from edge.sip.via import parse_via

MAX_KEPT: Final = 1_000

_COPIED: Final = re.compile(
    rb"\r\n(via|v|from|f|to|t|call-id|i|cseq)[ \t]*+:[ \t]*+([^\r\n]*+)(?=\r\n|\Z)", re.IGNORECASE
)
_ONCE: Final = (b"From", b"To", b"Call-ID", b"CSeq")
_NAMES: Final = {
    b"via": b"Via", b"v": b"Via", b"from": b"From", b"f": b"From", b"to": b"To", b"t": b"To",
    b"call-id": b"Call-ID", b"i": b"Call-ID", b"cseq": b"CSeq",
}  # fmt: skip


class TurnedAway:
    """What became of the last of them: a copy of one, on its way since before its 503, gets the same, and is
    not a call that its sender has given up."""

    def __init__(self, layer: TransactionLayer) -> None:
        self._layer = layer
        self._mark = layer.chance.token()  # begins the tags of these 503s, and no others
        self._tag = b";tag=" + self._mark.encode()
        self._kept: dict[ServerKey, bytes] = {}

    def __contains__(self, key: ServerKey) -> bool:
        return key in self._kept

    def add(self, head: bytes, flow: Flow, retry_after_s: int) -> bool:
        """Answers a new call, by its header block; False if it must be read: it is a copy of a call that is
        served, or written in an unusual way."""
        made = refusal(head, flow, self._mark + self._layer.chance.token()[:8], retry_after_s)
        if made is None or made.key in self._layer.servers:
            return False
        kept = self._kept
        if made.key not in kept:
            if len(kept) >= MAX_KEPT:
                del kept[next(iter(kept))]
            kept[made.key] = made.answer
        self.again(made.key, flow)
        return True

    def again(self, key: ServerKey, flow: Flow) -> None:
        """The 503 of one of them."""
        self._layer.counters["turned_away"] += 1
        self._layer.send(self._kept[key], flow, "")

    def acknowledged(self, ack: bytes) -> bool:
        """Whether an ACK is that of such a 503, and counted: nothing is left that it could end."""
        if self._tag not in ack:
            return False
        self._layer.counters["received_ack"] += 1
        return True


class Refusal(NamedTuple):
    """A 503, and the transaction that its INVITE would make: if there is one, the INVITE is a copy."""

    key: ServerKey
    answer: bytes


def refusal(head: bytes, flow: Flow, tag: str, retry_after_s: int) -> Refusal | None:
    """The 503 to a new INVITE, made from its header block; None for one that is written in an unusual way."""
    if b"\r\n " in head or b"\r\n\t" in head:
        return None
    fields = [(_NAMES[name.lower()], value) for name, value in _COPIED.findall(head)]
    names = [name for name, _ in fields]
    if names[:1] != [b"Via"] or any(names.count(name) != 1 for name in _ONCE):
        return None
    text = fields[0][1].decode("utf-8", "surrogateescape")
    via = parse_via(text)
    if via is None or b"," in fields[0][1] or not via.branch.startswith("z9hG4bK"):
        return None
    if not may_answer(via, flow):
        return None
    if flow.transport == "udp" and "rport" not in via.params and (via.port or 5060) != flow.remote[1]:
        return None  # the answer would go elsewhere (18.2.2)
    key = (via.branch, via.host, via.port, "INVITE")
    stamped = via.stamped(*flow.remote).encode("utf-8", "surrogateescape")
    answer = [b"SIP/2.0 503 Service Unavailable", b"Via: " + stamped]
    for name, value in fields[1:]:
        answer.append(
            b"%b: %b;tag=%b" % (name, value, tag.encode()) if name == b"To" else name + b": " + value
        )
    answer += [b"Retry-After: %d" % retry_after_s, b"Content-Length: 0", b"", b""]
    return Refusal(key, b"\r\n".join(answer))
