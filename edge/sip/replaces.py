"""Replaces (RFC 3891): an INVITE that takes the place of a dialog of ours, and is no call of its own.

Whose dialog gives way to whom is for a policy to say.  Without one only a dialog whose peer may transfer its
call does, and only to that peer: the INVITE comes from the address that ours went to.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from edge.sip.core import Core, Usage
from edge.sip.errors import SipParseError
from edge.sip.events import AccessPolicy, Deny, Flow, Replaced
from edge.sip.grammar import parse_params
from edge.sip.invite import Invite
from edge.sip.message import Request
from edge.sip.timers import LIMIT

_CONFIRMED: Final = ("up", "answered")
_ENDING: Final = ("cancelling", "leaving", "over")


class Replaces(NamedTuple):
    """The dialog that is meant, from our side: ``to_tag`` is our own.  ``early_only``: if it only rings."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False


def parse_replaces(value: str) -> Replaces:
    """A header's value; SipParseError 400 unless it names one dialog."""
    call_id, semicolon, rest = value.partition(";")
    call_id, found = call_id.strip(), parse_params(semicolon + rest) if semicolon else {}
    if found is None:
        raise SipParseError("malformed parameters of Replaces")
    to_tag, from_tag = found.get("to-tag") or "", found.get("from-tag") or ""
    if not (call_id and to_tag and from_tag) or not set(call_id).isdisjoint(', \t"'):
        raise SipParseError("Replaces names no dialog")
    return Replaces(call_id, to_tag, from_tag, "early-only" in found)


def wanted(request: Request) -> Replaces | None:
    """The one dialog that an INVITE wants to replace; None if it does not say which (section 3: 400)."""
    values = request.headers.all("Replaces")
    if len(values) != 1 or "Join" in request.headers:
        return None
    try:
        return parse_replaces(values[0])
    except SipParseError:
        return None


def named(usages: Mapping[str, Usage], replaces: Replaces | None) -> Usage | None:
    """The usage that has the dialog."""
    if replaces is None:
        return None
    usage = usages.get(replaces.to_tag)
    return usage if usage is not None and usage.dialog_for(replaces) is not None else None


class Policy(Protocol):
    """Whose dialog gives way to whom."""

    def gives_way(self, request: Request, flow: Flow, usage: Usage | None) -> bool | Deny:
        """Whether the dialog that an INVITE names does; ``Deny`` to who is not heard at all, whatever it
        names."""
        ...

    def refused(self, request: Request, flow: Flow, usage: Usage | None, status: int) -> None:
        """It was refused with this status: for whoever operates the server."""
        ...


class SamePeer:
    """The policy where nobody says more of the peers; who else is heard is for ``access`` to say."""

    def __init__(self, access: AccessPolicy) -> None:
        self._access = access

    def gives_way(self, request: Request, flow: Flow, usage: Usage | None) -> bool | Deny:
        """To whom its INVITE went, if that peer may transfer."""
        if usage is not None and usage.takes_refer and usage.flow.remote[0] == flow.remote[0]:
            return True
        verdict = self._access.judge(request, flow)
        return verdict if isinstance(verdict, Deny) else False

    def refused(self, request: Request, flow: Flow, usage: Usage | None, status: int) -> None:
        """Nobody is told."""


def verdict(replaces: Replaces | None, usage: Usage | None, *, theirs: bool) -> int:
    """The status that refuses it (section 3); 0 if it may be.  ``theirs``: the dialog gives way to them."""
    if replaces is None:
        return 400
    if usage is None:
        return 481
    if usage.state in _ENDING or not theirs:
        return 603
    if usage.state in _CONFIRMED:
        return 486 if replaces.early_only else 0
    return 0 if usage.state == "proceeding" else 481  # only what we dial ourselves is replaced early


def offer(core: Core, usage: Usage, invite: Invite) -> None:
    """Asks the owner of the replaced dialog; one who is in no state to say anything declines."""
    core.timers.start(LIMIT / 2, lambda: invite.reject(480))
    usage.emit(Replaced(invite))
