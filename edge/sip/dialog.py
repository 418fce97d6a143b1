"""A dialog (RFC 3261 section 12): who the two are, how to reach the peer, and the order of requests."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from edge.sip.events import Destination, Flow, Transport, default_port
from edge.sip.grammar import CACHED, is_address, split_name_addr
from edge.sip.layer import TransactionLayer
from edge.sip.message import Request, Response, SipParseError
from edge.sip.printing import Lines, PrintedRequest, print_message
from edge.sip.timers import LIMIT
from edge.sip.uri import Uri, parse_uri
from edge.sip.wire import Wire

_TRANSPORTS: dict[str, Transport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}
MAX_ROUTES = 20
"""It is copied into every request: a call to us with a longer route set is refused, of an answer's the rest
is left out."""


class Named(Protocol):
    """What names a dialog, seen from its peer: a request within it, or a Replaces."""

    @property
    def call_id(self) -> str: ...

    @property
    def from_tag(self) -> str | None: ...


class Dialog:
    """One dialog.  ``local`` and ``remote`` are whole From/To values, tags and all; ``asked`` counts the
    peer's requests.

    ``flow`` is where the peer was last heard, or where its INVITE went: it is used when the remote
    target is no address, or lies behind a NAT.  ``dialled`` is where our INVITE went; ``may_stream`` whether
    what is too big for a datagram may go by TCP.
    """

    __slots__ = (
        "_asked_since", "_contact", "_hop", "_way", "asked", "call_id", "dialled", "flow", "local",
        "local_cseq", "local_tag", "may_stream", "remote", "remote_cseq", "remote_tag", "routes", "target",
    )  # fmt: skip

    def __init__(
        self, call_id: str, local: tuple[str, str], remote: tuple[str, str], flow: Flow, target: str = ""
    ) -> None:
        self.call_id = call_id
        self.local, self.local_tag = local
        self.remote, self.remote_tag = remote
        self.local_cseq = 0
        self.remote_cseq: int | None = None
        self.routes: list[str] = []
        self.target = target or _uri_of(flow.remote)
        self.flow = flow
        self.dialled: Flow | None = None
        self._hop: Flow | None = None
        self._way: object = None
        self.asked = 0
        self._asked_since = 0.0
        self._contact = ""
        self.may_stream = True

    def matches(self, request: Named) -> bool:
        """Whether a request is of this dialog (12.2.2); a peer of RFC 2543 has no tag."""
        return request.call_id == self.call_id and (request.from_tag or "") == self.remote_tag

    def in_order(self, cseq: int) -> bool:
        """Counts a request of the peer, and notes its CSeq; False if it came too late (12.2.2)."""
        self.asked += 1
        if self.remote_cseq is not None and cseq < self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def asks_too_much(self, now: float) -> bool:
        """Whether the peer has ``asked`` so much, which is more than it may, within the time that a
        transaction lives; else the count begins anew."""
        if now - self._asked_since < LIMIT:
            return True
        self.asked, self._asked_since = 0, now
        return False

    def heard(self, flow: Flow, knows: Callable[[str], bool]) -> bool:
        """A request of the peer came this way: what goes back over it does so from now on, though a NAT gave
        it another port.  False where it came from elsewhere than the peer, and ``knows`` no such host."""
        host = flow.remote[0]
        if host not in (self.flow.remote[0], self._next_host()) and not knows(host):
            return False
        self.flow, self._hop = flow, None
        return True

    def refresh(self, message: Request | Response) -> None:
        """Takes over the Contact of a target refresh (12.2.1.2, 12.2.2)."""
        contact = message.headers.get("Contact")
        if contact is None or contact == self._contact or message.foreign:
            return
        self._contact = contact
        target = contact_uri(contact)
        if target is not None and target != self.target:
            self.target = target
            self._hop = None

    def confirm(self, response: Response) -> None:
        """Takes route set and target from an answer to our INVITE; the 2xx counts (12.1.2, 13.2.2.4)."""
        headers = response.headers
        routes = headers.values("Record-Route") if "Record-Route" in headers else []
        if routes or self.routes:
            self.routes = routes[:MAX_ROUTES][::-1]
            self._hop = None
        self.refresh(response)

    def request(
        self,
        layer: TransactionLayer,
        method: str,
        headers: Lines = (),
        body: bytes = b"",
        cseq: int = 0,
    ) -> PrintedRequest:
        """A request within the dialog (12.2.1.1), over the flow to its next hop.

        ``cseq`` 0 takes the next number; ACK gives that of its INVITE.  Raises ValueError for CR or
        LF in ``headers``.
        """
        if cseq == 0:
            self.local_cseq += 1
            cseq = self.local_cseq
        flow = self.hop(layer.wire)
        via, branch = layer.via(flow)
        uri, route = self.target, ""
        if self.routes:
            uri, routes = self.first_line()
            route = "".join([f"Route: {value}\r\n" for value in routes])
        head = (
            f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n{route}"
            f"From: {self.local}\r\nTo: {self.remote}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\n"
        )
        return PrintedRequest(print_message(head, headers, body), method, branch, self.call_id, flow)

    def hop(self, wire: Wire) -> Flow:
        """The flow to the first route, or else to the remote target."""
        flow = self.flow
        alive = flow.transport == "udp" or wire.alive(flow)
        if flow.transport != "udp" and alive and self._is_next_hop(flow.remote[0]):
            return flow  # an open connection serves better than dialling a Contact behind a NAT
        if self._hop is None or not wire.alive(self._hop):
            destination = self._destination() or (None if alive else self._back())
            self._hop = flow if destination is None else wire.route(destination, flow.local)
            self._way = None if destination is None else wire.way(destination.host)
        return self._hop

    def streams(self, flow: Flow) -> bool:
        """Unless the next hop names a transport, is behind a NAT, or we want datagrams."""
        text = uri_in(self.routes[0]) if self.routes else self.target
        uri = _parsed(text) if text else None
        if uri is None or not self.may_stream or "transport" in uri.params:
            return False
        return not is_address(uri.host) or uri.host == flow.remote[0]

    def _next_host(self) -> str:
        """The host of the first route, or else of the remote target, as it is written there."""
        text = uri_in(self.routes[0]) if self.routes else self.target
        uri = _parsed(text) if text else None
        return "" if uri is None else uri.host

    def _is_next_hop(self, host: str) -> bool:
        """Whether the peer that we hear from ``host`` is the first route, or there is none."""
        text = uri_in(self.routes[0]) if self.routes else None
        uri = _parsed(text) if text else None
        return uri is None or not is_address(uri.host) or uri.host == host

    def first_line(self) -> tuple[str, list[str]]:
        """Request-URI and Route values for loose and strict routers (12.2.1.1)."""
        if not self.routes:
            return self.target, []
        first = uri_in(self.routes[0])
        if first is None or _is_loose(first):
            return self.target, self.routes
        return first.partition("?")[0], [*self.routes[1:], f"<{self.target}>"]

    def _destination(self) -> Destination | None:
        """Where the next hop's URI points, None to stay with the dialog's own flow."""
        flow = self.flow
        host, port = flow.remote
        user, _, where = self.target.partition("@")
        plain = user[:4] == "sip:" and where == f"{host}:{port}"
        if plain and flow.transport == "udp" and not self.routes:
            return None  # what nearly every peer's Contact says
        text = uri_in(self.routes[0]) if self.routes else self.target
        uri = _parsed(text) if text else None
        transport = None if uri is None else transport_of(uri, self.flow.transport)
        if uri is None or transport is None:
            return None
        port = uri.port or default_port(transport)
        if transport == flow.transport == "udp" and flow.remote == (uri.host, port):
            return None
        if not is_address(uri.host) or self._behind_nat(uri.host):
            return None
        name = (flow.name or uri.host) if transport == "tls" else ""
        return Destination(transport, uri.host, port, name)

    def _back(self) -> Destination | None:
        """Where the peer of a connection that is gone takes new ones: where we dialled it, or at its address
        and the port that the next hop's URI names."""
        if self.dialled is not None:
            return Destination(self.dialled.transport, *self.dialled.remote, self.dialled.name)
        text, flow = uri_in(self.routes[0]) if self.routes else self.target, self.flow
        uri = _parsed(text) if text else None
        if uri is None:
            return None
        transport = transport_of(uri, flow.transport) or flow.transport
        name = (flow.name or uri.host) if transport == "tls" else ""
        return Destination(transport, flow.remote[0], uri.port or default_port(transport), name)

    def _behind_nat(self, host: str) -> bool:
        """A private Contact or route of a peer that we hear from a public address leads nowhere, and so does
        one of a provider's own (RFC 6598)."""
        if host == self.flow.remote[0]:
            return False
        said, heard = ipaddress.ip_address(host), ipaddress.ip_address(self.flow.remote[0])
        return (said.is_private and not heard.is_private) or (heard.is_global and not said.is_global)


def dialog_to_us(request: Request, flow: Flow, local_tag: str) -> Dialog:
    """The dialog that our answer to an INVITE makes (12.1.1)."""
    to = request.headers.get("To") or ""
    remote = (request.headers.get("From") or "", request.from_tag or "")
    dialog = Dialog(request.call_id, (f"{to};tag={local_tag}", local_tag), remote, flow)
    dialog.remote_cseq = request.cseq
    if "Record-Route" in request.headers:
        dialog.routes = request.headers.values("Record-Route")
    dialog.refresh(request)
    return dialog


def dialog_of_ours(
    response: Response, flow: Flow, *, uri: str, call_id: str, cseq: int, local: tuple[str, str]
) -> Dialog:
    """The dialog that an answer to an INVITE of ours makes (12.1.2): of its Request-URI, Call-ID, CSeq, and
    its From value with the tag."""
    remote = (response.headers.get("To") or "", response.to_tag or "")
    dialog = Dialog(call_id, local, remote, flow, uri)
    dialog.local_cseq = cseq
    dialog.dialled = flow
    dialog.confirm(response)
    return dialog


def transport_of(uri: Uri, otherwise: Transport) -> Transport | None:
    """The transport that a URI asks for, ``otherwise`` if it says nothing; None for one that we lack."""
    wanted = (uri.params.get("transport") or "").lower()
    if uri.scheme == "sips":  # section 26.2.2: tcp then means TLS over it
        return "tls" if wanted in ("", "tcp", "tls") else None
    if not wanted:
        return otherwise
    return _TRANSPORTS.get(wanted)


# A peer's Contact is mostly the same in all its calls.
@lru_cache(CACHED)
def contact_uri(contact: str) -> str | None:
    """The URI of a Contact, if it has one that we can send to."""
    text = uri_in(contact)
    return text if text and _parsed(text) is not None else None


def uri_in(value: str) -> str | None:
    """The URI of a name-addr or addr-spec."""
    parts = split_name_addr(value)
    return None if parts is None else parts[1]


def _parsed(text: str) -> Uri | None:
    try:
        uri = parse_uri(text)
    except SipParseError:
        return None
    return uri if uri.scheme in ("sip", "sips") else None


def _is_loose(uri: str) -> bool:
    parsed = _parsed(uri)
    return parsed is None or "lr" in parsed.params


def _uri_of(address: tuple[str, int]) -> str:
    host, port = address
    return f"sip:[{host}]:{port}" if ":" in host else f"sip:{host}:{port}"
