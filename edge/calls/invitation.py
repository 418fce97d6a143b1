"""The INVITE that a target gets: who calls it, what goes on of the caller's INVITE, what it adds itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edge.calls import dialplan
from edge.calls.happenings import Happening
from edge.calls.identity import from_header, identity_headers, identity_of
from edge.calls.passing import Lines, Onward, attached, kept_call_id, passed_on
from edge.model.config import Target
from edge.model.placeholders import Lookup
from edge.sip.events import Destination, OutgoingCall

if TYPE_CHECKING:
    from edge.calls.call import Call


class Transferring(NamedTuple):
    """What is otherwise when a call that is up is transferred (``edge.calls.transfer``).

    ``words`` say in the record who does it; ``uri`` is where the target sends it, if that is no target;
    ``headers`` go into the INVITE; ``others`` is told what happens to other legs meanwhile.
    """

    words: str
    uri: str | None
    headers: tuple[tuple[str, str], ...]
    others: Callable[[Happening], None]


class Dialled(NamedTuple):
    """A target that a call dials: ``values`` fill its placeholders, ``key`` is the call's."""

    call: "Call"
    target: Target
    values: Lookup
    key: str
    transfer: Transferring | None


def invitation(dialled: Dialled, line: dialplan.Line, destination: Destination, sdp: bytes) -> OutgoingCall:
    """One INVITE, to one address of one way to the target."""
    call, target, sip = dialled.call, dialled.target, line.sip
    request = call.invite.request
    host = call.services.dialler.local_host(destination)
    identity, caller_id = identity_of(target, call.identity, call.facts.called)
    shown = None if sip.from_user else caller_id or identity.caller
    onward = Onward(call.facts, line, identity, shown, host)
    headers = dialplan.target_headers(target, call.facts.call_id, dialled.key, dialled.values)
    headers += identity_headers(identity, sip, host, caller_id, line.country)
    headers += _not_its_own(passed_on(request, onward), target)
    if dialled.transfer is not None:
        headers += dialled.transfer.headers
    hops = request.max_forwards
    return OutgoingCall(
        request_uri=line.uri,
        destination=destination,
        from_=from_header(identity, sip, host, caller_id, line.country),
        to=f"<{line.uri}>",
        headers=tuple(headers),
        body=sdp,
        max_forwards=(70 if hops is None else hops) - 1,  # loops of B2BUAs must end (RFC 7332)
        credentials=line.credentials,
        contact_user=sip.contact_user or "edge",
        allow_refer=sip.allow_refer and line.trunk_id is None,
        peer_id=target.id,
        attached=attached(request, onward) if sip.body_allow else (),
        stream_if_big=dialplan.may_stream(line.via),
        call_id="" if sip.call_id == "new" else kept_call_id(request, line),
    )


def _not_its_own(passed: Lines, target: Target) -> Lines:
    """What is passed on, less the headers that the target writes itself."""
    if not passed or not target.headers:
        return passed
    own = {name.lower() for name in target.headers}
    return [header for header in passed if header[0].lower() not in own]
