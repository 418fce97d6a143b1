"""Requests that are made from another request: the ACK to a refusal, and CANCEL."""

from edge.sip.message import Headers, Request, Response

_KEPT = ("From", "Call-ID", "Route")


def ack_for(invite: Request, refusal: Response) -> Request:
    """The ACK to a final answer of 300 and above: same branch and hop as the INVITE (17.1.1.3)."""
    return _derive(invite, "ACK", refusal.headers.get("To") or invite.headers.get("To") or "")


def cancel_for(invite: Request, reason: str | None) -> Request:
    """CANCEL of an INVITE of ours: a hop-by-hop copy of its identity (9.1), with a Reason (RFC 3326)."""
    cancel = _derive(invite, "CANCEL", invite.headers.get("To") or "")
    if reason:
        cancel.headers.add("Reason", reason)
    return cancel


def _derive(invite: Request, method: str, to: str) -> Request:
    source = invite.headers
    items = [("Via", source.get("Via") or "")]
    items += [item for item in source.items if item[0] in _KEPT]
    items += [("To", to), ("CSeq", f"{invite.cseq} {method}"), ("Max-Forwards", "70")]
    return Request(method, invite.uri, Headers(items))
