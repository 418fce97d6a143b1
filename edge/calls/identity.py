"""Who calls, as a peer is told: From, P-Asserted-Identity, Remote-Party-ID, Privacy (RFC 3323, 3325).

Pure.
"""

from typing import NamedTuple

from edge.model.config import Target
from edge.model.sip import SipSettings
from edge.routing.e164 import written
from edge.sip.grammar import quote, split_name_addr, unquote
from edge.sip.headers import printable
from edge.sip.message import Headers

MAX_NAME = 80
Lines = list[tuple[str, str]]


class Identity(NamedTuple):
    """``caller`` is E.164, or None when withheld; ``private`` when it may reach trusted peers only;
    ``withheld`` is the number that those are told all the same; ``name`` what the caller is called."""

    caller: str | None
    private: bool = False
    withheld: str | None = None
    name: str = ""


def display_name(value: str) -> str:
    """The display name of a From value, fit to be shown and written again; empty if there is none."""
    if value[:1] == "<":
        return ""
    parts = split_name_addr(value)
    return "" if parts is None else printable(unquote(parts[0].strip(" \t"))).strip()[:MAX_NAME]


def wanted_privacy(headers: Headers) -> frozenset[str]:
    """What the caller wants kept private (RFC 3323), in lower case: nothing, or ``none``, if that is all."""
    said = ";".join(headers.values("Privacy")).lower().split(";") if "Privacy" in headers else ()
    return frozenset(wish.strip() for wish in said)


def identity_of(target: Target, caller: Identity, called: str) -> tuple[Identity, str | None]:
    """Who the target is told is calling, and the number of ours that it is shown instead, if it is."""
    if target.caller_id == "anonymous":
        return Identity(None, private=True), None
    if target.caller_id == "number":
        return caller, called if called.startswith("+") else None
    return caller, target.caller_id


def is_hidden(identity: Identity, sip: SipSettings) -> bool:
    """Whether a peer must not learn who calls."""
    return identity.private and not sip.trusted


def from_header(
    identity: Identity, sip: SipSettings, our_host: str, caller_id: str | None, country: str = "US"
) -> str:
    """The From name-addr toward a peer: the target's ``caller_id``, else the caller's own number."""
    host = sip.from_host or our_host
    hidden = caller_id is not None or is_hidden(identity, sip) or not identity.name
    name = "" if hidden else f"{quote(identity.name)} "
    if sip.from_user:
        return f"{name}<sip:{sip.from_user}@{host}>"
    shown = caller_id or (None if is_hidden(identity, sip) else identity.caller)
    if shown is None:
        return f'"Anonymous" <sip:anonymous@{sip.from_host or "anonymous.invalid"}>'
    return f"{name}<sip:{written(shown, sip.number_format, country)}@{host}>"


def identity_headers(
    identity: Identity, sip: SipSettings, our_host: str, caller_id: str | None = None, country: str = "US"
) -> Lines:
    """Who calls for trusted peers, and the wish for privacy for all: it is not broken by a number of ours."""
    private = caller_id is None and (identity.private or identity.caller is None)
    headers: Lines = []
    known = caller_id or identity.caller or identity.withheld
    if sip.trusted and known is not None:
        uri = f"<sip:{written(known, sip.number_format, country)}@{sip.from_host or our_host}>"
        headers.append(("P-Asserted-Identity", uri))
        if sip.remote_party_id:
            privacy = "full" if private else "off"
            headers.append(("Remote-Party-ID", f"{uri};party=calling;privacy={privacy};screen=no"))
    if private:
        headers.append(("Privacy", "id"))
    return headers
