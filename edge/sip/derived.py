"""Requests that are made from another request: the ACK to a refusal, and CANCEL."""

from edge.sip.message import Response
from edge.sip.printing import print_message

_KEPT = ("Via: ", "From: ", "Call-ID: ", "Route: ")


def ack_for(invite: bytes, refusal: Response) -> bytes:
    """The ACK to a final answer of 300 and above: same branch and hop as our INVITE (17.1.1.3)."""
    return _derive(invite, "ACK", refusal.headers.get("To"))


def cancel_for(invite: bytes, reason: str | None) -> bytes:
    """CANCEL of an INVITE of ours: a hop-by-hop copy of its identity (9.1), with a Reason (RFC 3326)."""
    return _derive(invite, "CANCEL", None, reason)


def _derive(invite: bytes, method: str, to: str | None, reason: str | None = None) -> bytes:
    """From the INVITE as it was printed: one Via, names in canonical form."""
    text = invite.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = text.split("\r\n")
    kept = [line for line in lines if line.startswith(_KEPT)]
    if to is None:
        kept += [line for line in lines if line.startswith("To: ")]
    else:
        kept.append(f"To: {to}")
    (cseq,) = [line.split(" ")[1] for line in lines if line.startswith("CSeq: ")]
    uri = start.removeprefix("INVITE ").removesuffix(" SIP/2.0")
    head = "\r\n".join([f"{method} {uri} SIP/2.0", *kept, f"CSeq: {cseq} {method}", "Max-Forwards: 70", ""])
    return print_message(head, (("Reason", reason),) if reason else (), b"")
