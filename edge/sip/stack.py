"""The SIP stack without IO: messages in, messages and events out (RFC 3261 sections 8, 12, 17).

``receive`` takes a datagram, ``receive_message`` what a stream's framer cut out; ``call`` makes a
call; ``pump`` runs timers and delivers events and is due at ``timers.earliest``, or when ``wake`` asked.
"""

from collections.abc import Callable

from edge.sip import gate, replaces
from edge.sip.answers import Answers
from edge.sip.bodies import Carried, nothing, only_description
from edge.sip.core import ACCEPT, ALLOW, SUPPORTED, Core, Objection, Usage
from edge.sip.events import AccessPolicy, Deny, Flow, OutgoingCall, OutgoingRequest
from edge.sip.exchange import Exchange
from edge.sip.gate import Limits
from edge.sip.invite import Invite
from edge.sip.invite_client import ClientInvite
from edge.sip.invite_server import ServerInvite
from edge.sip.layer import RECEIVED
from edge.sip.message import Request, Response, SipParseError
from edge.sip.outside import ask, check_lines
from edge.sip.parser import parse
from edge.sip.server_transaction import InviteServer, ServerKey, server_key
from edge.sip.turned_away import TurnedAway
from edge.sip.wire import Chance, Trace, Wire


class Stack:
    """One SIP user agent.

    ``on_call`` is given each new call that the policy allowed; 100 has been sent.  ``report`` hears of
    bad input: why, and from where.  ``replacing`` says which dialogs give way, ``carried`` which parts of
    bodies somebody is passed.  While ``overloaded`` says so, new calls get 503.
    A dialog goes on from another host than the peer's only if ``knows`` does.
    """

    def __init__(
        self,
        wire: Wire,
        clock: Callable[[], float],
        chance: Chance,
        *,
        access: AccessPolicy,
        on_call: Callable[[Invite], None],
        wake: Callable[[], None],
        report: Callable[[str, Flow], None] = lambda why, flow: None,
        user_agent: str = "Edge",
        limits: Limits | None = None,
        replacing: replaces.Policy | None = None,
        carried: Carried = nothing,
        overloaded: Callable[[], bool] = lambda: False,
        knows: Callable[[str], bool] = lambda host: True,
    ) -> None:
        self._core = Core(wire, clock, chance, wake)
        self._clock = clock
        self._core.user_agent = user_agent
        self._layer = self._core.layer
        self.timers = self._layer.timers
        self.turned_away = TurnedAway(self._layer)
        self._access = access
        self._answers = Answers(self._layer, access)
        self._replacing = replacing or replaces.SamePeer(access)
        self._on_call, self._report, self._carried = on_call, report, carried
        self._limits = limits or Limits()
        self._overloaded, self._knows = overloaded, knows

    # -- what the pump and the metrics ask -----------------------------------------------------------

    @property
    def counters(self) -> dict[str, int]:
        """Counts since the start by bounded names (see ``layer``), and ``transactions``, ``dialogs`` now."""
        layer = self._layer
        return {**layer.counters, "transactions": len(layer), "dialogs": len(self._core.usages)}

    @property
    def trace(self) -> Trace | None:
        """Called with every message, if set."""
        return self._layer.trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._layer.trace = trace

    def pump(self) -> None:
        """Runs the timers that are due and delivers what waits."""
        self._core.busy = True
        try:
            self._layer.timers.run()
            self._deliver()
        finally:
            self._core.busy = False

    def call(self, outgoing: OutgoingCall) -> Invite:
        """Sends an INVITE; ValueError for CR, LF or NUL in what goes into headers."""
        check_lines(outgoing)
        return ClientInvite(self._core, outgoing, self._layer.wire.route(outgoing.destination))

    def ask(self, outgoing: OutgoingRequest, on_answer: Callable[[Response], None]) -> Exchange:
        """Sends a request outside any dialog; ValueError for CR, LF or NUL in what goes into headers."""
        check_lines(outgoing)
        return ask(self._core, outgoing, self._layer.wire.route(outgoing.destination), on_answer)

    # -- in ------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow) -> None:
        """One datagram."""
        try:
            message = parse(data)
        except SipParseError as error:
            if gate.keeps_alive(data):
                self.count("received_keepalive")
            else:
                self.receive_error(error, flow)
            return
        self.receive_message(message, flow, data)

    def turn_away(self, head: bytes, flow: Flow, retry_after_s: int | None = None) -> bool:
        """503 to a new call for which there is no time, by its header block; False if it must be read."""
        after = retry_after_s or int(self._layer.chance.uniform(*gate.RETRY_AFTER))
        return self.turned_away.add(head, flow, after)

    def receive_message(self, message: Request | Response, flow: Flow, data: bytes = b"") -> None:
        """One message, and (for a datagram) the bytes it was read from."""
        if self._layer.trace is not None:
            self._layer.trace("in", flow, data or message.to_bytes(), message.call_id)
        self._core.busy = True
        try:
            if isinstance(message, Response):
                if message.body:
                    only_description(message)
                self._layer.receive_response(message)
            else:
                self._receive_request(message, flow, len(data))
            if self._core.events:
                self._deliver()
        finally:
            self._core.busy = False

    def receive_error(self, error: SipParseError, flow: Flow) -> None:
        """Something that is no SIP message: answered only to whom the policy knows."""
        self._layer.counters[f"parse_error_{error.status}"] += 1
        self._report(error.reason, flow)
        request = error.request
        if (
            not error.status
            or request is None
            or request.method == "ACK"
            or not self._answers.possible(request, flow)
        ):
            return
        request.note_source(*flow.remote)
        if isinstance(self._access.judge(request, flow), Deny):
            self.count("dropped_stranger")
        else:
            self._answers.send(request, flow, error.status)

    def transport_failed(self, flow: Flow) -> None:
        """A connection broke, or could not be made."""
        self._layer.transport_failed(flow)

    def undelivered(self, data: bytes) -> None:
        """The beginning of a datagram of ours that did not leave, or did not arrive (ICMP)."""
        self._layer.undelivered(data)

    @property
    def leaving(self) -> bool:
        """Whether a BYE of ours has no answer yet."""
        return any(usage.state == "leaving" for usage in self._core.usages.values())

    def uses(self, flow: Flow) -> bool:
        """Whether a dialog's next request would go over this flow."""
        return any(usage.uses(flow) for usage in self._core.usages.values())

    def in_call(self, data: bytes) -> bool:
        """Whether a datagram, unread, is of a call: see ``Core.in_call``."""
        return self._core.in_call(data)

    @property
    def answers_strangers(self) -> bool:
        """Whether the policy has an answer for who is unknown."""
        return self._access.answers_strangers

    def count(self, name: str) -> None:
        """Counts what happened outside (a connection that was refused)."""
        self._layer.counters[name] += 1

    # -- requests --------------------------------------------------------------------------------------

    def _receive_request(self, request: Request, flow: Flow, size: int) -> None:
        method = request.method
        self._layer.counters[RECEIVED.get(method, "received_other")] += 1
        if not gate.may_answer(request.via, flow):
            self.count("dropped_reflection")
            self._report("an answer to it could hit someone else", flow)
            return
        request.note_source(*flow.remote)
        key = server_key(request, "INVITE" if method == "ACK" else method)
        transaction = self._layer.servers.get(key)
        if transaction is not None and not (method == "ACK" and transaction.state == "accepted"):
            transaction.receive(request)
        elif method == "CANCEL":
            self._receive_cancel(request, flow, size)
        elif method == "ACK":
            self._receive_ack(request)
        elif key in self.turned_away:
            self.turned_away.again(key, flow)
        elif request.to_tag is not None:
            self._receive_in_dialog(request, flow, key, size)
        else:
            self._receive_outside(request, flow, key, size)

    def _receive_cancel(self, request: Request, flow: Flow, size: int) -> None:
        """9.2: the answer is 200 whether it came in time or not; it needs no state."""
        transaction = self._layer.servers.get(server_key(request, "INVITE"))
        if transaction is None:
            if self._answers.allowed(request, flow, size) is not None:
                self._answers.send(request, flow, 481)
            return
        self._answers.send(request, flow, 200, to_tag=transaction.to_tag)
        if transaction.owner is not None and not transaction.answered:
            transaction.owner.cancelled(transaction, request)

    def _receive_ack(self, request: Request) -> None:
        usage = self._core.usages.get(request.to_tag or "")
        if usage is not None and usage.dialog_for(request) is not None:
            only_description(request)
            usage.receive_ack(request)
        else:
            self.count("dropped_stray_ack")

    def _receive_in_dialog(self, request: Request, flow: Flow, key: ServerKey, size: int) -> None:
        usage = self._core.usages.get(request.to_tag or "")
        dialog = usage.dialog_for(request) if usage is not None else None
        if usage is None or dialog is None:
            if self._answers.allowed(request, flow, size) is not None:
                self._answers.refuse(request, flow, gate.objection(request) or Objection(481))
            return
        limits = self._limits
        too_much = dialog.asked >= limits.asked and dialog.asks_too_much(self._clock())
        if (too_much or len(self._layer) >= 2 * limits.transactions) and request.method != "BYE":
            self._answers.refuse(request, flow, gate.overloaded(gate.RETRY_AFTER[0]))
            return
        objection = gate.objection(request, refer=usage.takes_refer)
        if not dialog.in_order(request.cseq):
            objection = Objection(500)  # 12.2.2
        if objection is not None:
            self._answers.refuse(request, flow, objection)
            return
        if flow is not dialog.flow and flow != dialog.flow and not dialog.heard(flow, self._knows):
            if not self._answers.moves(request, flow, usage.peer_id, size):
                return
            request.foreign = not dialog.heard(flow, self._knows)
        usage.receive(request, dialog, self._layer.serve(request, key, gate.reply_flow(request, flow), None))

    def _receive_outside(self, request: Request, flow: Flow, key: ServerKey, size: int) -> None:
        if request.method == "INVITE" and "Replaces" in request.headers:
            self._receive_replacing(request, flow, key, size)
            return
        peer_id = self._answers.allowed(request, flow, size)
        if peer_id is None:
            return
        objection = gate.objection(request, carried=self._carried) or gate.stranger_objection(request)
        if objection is not None:
            self._answers.refuse(request, flow, objection)
        elif request.method == "OPTIONS":
            self._answers.send(request, flow, 200, (ALLOW, ACCEPT, SUPPORTED))
        else:
            self._receive_call(request, flow, key, peer_id)

    def _receive_replacing(self, request: Request, flow: Flow, key: ServerKey, size: int) -> None:
        """An INVITE with Replaces is part of a call that is there, or nothing."""
        wanted = replaces.wanted(request)
        usage = replaces.named(self._core.usages, wanted)
        theirs = self._replacing.gives_way(request, flow, usage)
        if isinstance(theirs, Deny):
            self._answers.deny(theirs, request, flow, size)
            return
        status = replaces.verdict(wanted, usage, theirs=theirs)
        if (objection := gate.objection(request) or gate.stranger_objection(request)) is not None:
            self._answers.refuse(request, flow, objection)
        elif usage is None or status:
            self._replacing.refused(request, flow, usage, status)
            self._answers.send(request, flow, status)
        else:
            self._receive_call(request, flow, key, usage.peer_id, usage)

    def _receive_call(
        self, request: Request, flow: Flow, key: ServerKey, peer_id: str, replaced: Usage | None = None
    ) -> None:
        layer, limits = self._layer, self._limits
        full = len(layer) >= limits.transactions or len(self._core.usages) >= limits.usages
        if full or (replaced is None and self._overloaded()):
            layer.counters["turned_away"] += 1
            self._answers.refuse(request, flow, gate.overloaded(layer.chance.uniform(*gate.RETRY_AFTER)))
            return
        merge_key = (request.call_id, request.from_tag or "", str(request.cseq))
        if merge_key in layer.merges:  # 8.2.2.2
            self._answers.send(request, flow, 482)
            return
        transaction = layer.serve(request, key, gate.reply_flow(request, flow), None)
        layer.guard_merges(transaction, merge_key)
        transaction.respond(100)
        if isinstance(transaction, InviteServer):
            invite = ServerInvite(self._core, request, flow, transaction, peer_id)
            if replaced is None:
                self._on_call(invite)
            else:
                replaces.offer(self._core, replaced, invite)

    # -- events ----------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        events = self._core.events
        while events:
            usage, event = events.popleft()
            usage.deliver(event)
