"""Answers that leave no state behind them (RFC 3261 section 8.2.7), and who gets one."""

from typing import Final

from edge.sip import gate
from edge.sip.core import Objection
from edge.sip.events import AccessPolicy, Deny, Flow
from edge.sip.layer import TransactionLayer
from edge.sip.message import Request, SipParseError, respond
from edge.sip.printing import Lines

REFRESHES: Final = ("INVITE", "UPDATE")
"""The requests whose Contact leads a dialog elsewhere (12.2.2)."""


class Answers:
    """What the stack says without a transaction; ``access`` judges to whom."""

    def __init__(self, layer: TransactionLayer, access: AccessPolicy) -> None:
        self._layer = layer
        self._access = access

    def allowed(self, request: Request, flow: Flow, size: int) -> str | None:
        """The peer's id; None when the request was denied, and answered if it shall be."""
        verdict = self._access.judge(request, flow)
        if not isinstance(verdict, Deny):
            return verdict.peer_id
        self.deny(verdict, request, flow, size)
        return None

    def deny(self, verdict: Deny, request: Request, flow: Flow, size: int) -> None:
        """The answer, if any, to a request (of ``size`` bytes) that is not allowed."""
        self._layer.counters["dropped_denied" if verdict.status else "dropped_stranger"] += 1
        challenged = verdict.status in (401, 407)
        if verdict.status and not (challenged and request.method == "CANCEL"):  # 22.1
            self.send(request, flow, verdict.status, verdict.headers, most=size)

    def moves(self, request: Request, flow: Flow, peer_id: str, size: int) -> bool:
        """Whether a request within a call that comes from nowhere known is served; False: it was asked to log
        in first (22.1), since it may lead the call there."""
        verdict = self._access.moved(request, flow, peer_id) if request.method in REFRESHES else None
        if verdict is not None:
            self.deny(verdict, request, flow, size)
        return verdict is None

    def send(
        self,
        request: Request,
        flow: Flow,
        status: int,
        headers: Lines = (),
        *,
        to_tag: str | None = None,
        most: int = 0,
    ) -> None:
        """An answer, the same for each copy of the request; ``most`` bounds its bytes over UDP."""
        tag = to_tag or format(hash((request.via.branch, request.headers.get("Call-ID"))) & 0xFFFFFFFF, "08x")
        response = respond(request, status, None, tag)
        if most and flow.transport == "udp":
            fitting = gate.no_bigger(headers, most - len(response.to_bytes()))
            if fitting is None:
                return
            headers = fitting
        response.headers.items.extend(headers)
        call_id = request.headers.get("Call-ID") or ""
        self._layer.send(response.to_bytes(), gate.reply_flow(request, flow), call_id)

    def refuse(self, request: Request, flow: Flow, objection: Objection) -> None:
        """Says why a request is not served, and closes its stream where that is due."""
        self.send(request, flow, objection.status, objection.lines)
        if objection.closes and flow.connection:
            self._layer.wire.hang_up(flow)

    def possible(self, request: Request, flow: Flow) -> bool:
        """Whether an answer may go to where a request says that it came from."""
        try:
            return gate.may_answer(request.via, flow)
        except SipParseError:
            return False
