"""Which dialogs give way to whom (RFC 3891 section 3), and what an operator is told of those that do not.

See ``edge.sip.replaces.Policy``.  A PBX takes over what is its own: from any of its addresses, or by a trunk
of its own, with that trunk's credentials if it has some.
"""

from typing import Final

from edge.calls import intake
from edge.calls.access import Access
from edge.calls.peers import Peer, Peers
from edge.calls.ports import ConfigurationHolder, RefusedCall, RefusedLog
from edge.sip.core import Usage
from edge.sip.events import Deny, Flow
from edge.sip.message import Request

_WHY: Final = {
    400: ("Replaces names no one dialog", "see the PBX's settings for transfers: it sends two, or no tags"),
    481: ("Replaces names no call that is up", "it is over, or the PBX's other call is not with this server"),
    486: ("Replaces of a ringing call that is answered", "nothing: the other phone was quicker"),
}
_ENDS: Final = ("Replaces of a call that is just ending", "nothing: it crossed the call's end")
_CARRIER: Final = (
    "Replaces of a call that a carrier sent, which nobody takes over",
    "if it is no carrier but a target's PBX, name the trunk in that target's sip.peer_trunk_ids and set its"
    " sip.allow_refer",
)


class Replacing:
    """The endpoint's policy of take-overs."""

    def __init__(
        self, access: Access, peers: Peers, configuration: ConfigurationHolder, refused: RefusedLog
    ) -> None:
        self._access = access
        self._peers = peers
        self._configuration = configuration
        self._refused = refused

    def gives_way(self, request: Request, flow: Flow, usage: Usage | None) -> bool | Deny:
        """See ``edge.sip.replaces.Policy``: an address of the PBX will do, a trunk must be proven."""
        peer = self._peer(usage)
        if peer is not None and self._peers.is_at(peer, self._access.source(request, flow)):
            return True
        verdict = self._access.judge(request, flow)
        if isinstance(verdict, Deny):
            return verdict
        return peer is not None and self._peers.comes_by(peer, verdict.peer_id, self._configuration.current)

    def refused(self, request: Request, flow: Flow, usage: Usage | None, status: int) -> None:
        """Lists it with its remedy."""
        source = self._access.source(request, flow)
        why = self._why(usage, source) if status == 603 and usage is not None else _WHY[status]
        called = intake.dialled(request, None)
        self._refused.note(RefusedCall(source, request.method, called, status, *why))

    def _why(self, usage: Usage, source: str) -> tuple[str, str]:
        peer, target = self._peer(usage), self._configuration.current.target(usage.peer_id)
        if peer is None and usage.role == "server":
            return _CARRIER
        if peer is None:
            whose = "a target" if target is None else f"target {target.name}"
            return (
                f"Replaces of a call to {whose}, which may not transfer",
                "set sip.allow_refer of the target",
            )
        if self._peers.is_at(peer, source):
            return _ENDS
        whose = "a target that is gone" if peer.target is None else f"target {peer.target.name}"
        remedy = f"if that is its PBX, add {source} to the target's sip.peer_addresses"
        remedy += ", or the trunk that it logs in as to sip.peer_trunk_ids"
        return f"Replaces of a call of {whose} from elsewhere", remedy

    def _peer(self, usage: Usage | None) -> Peer | None:
        if usage is None:
            return None
        host = usage.flow.remote[0]
        if usage.role == "server":  # perhaps a proxy's in front of us
            host = self._access.source(usage.request, usage.flow)
        return self._peers.of(usage, host, self._configuration.current)
