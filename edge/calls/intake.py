"""An INVITE's facts: who calls which number, normalised once (rules: Called number, Caller number)."""

from collections.abc import Sequence
from typing import NamedTuple

from edge.calls.attestation import told
from edge.calls.identity import Identity, display_name, wanted_privacy
from edge.model.attestation import Attested
from edge.model.config import Trunk
from edge.model.sip import CallerPlace
from edge.routing.e164 import called_number, caller_number, number_in, user_part
from edge.sip.message import Request

_PLACES = {"to": "To", "p_called_party_id": "P-Called-Party-ID", "diversion": "Diversion"}


class Arrival(NamedTuple):
    """``caller`` is E.164 or None when withheld; ``called`` E.164, or as dialled if it is none;
    ``identity`` is what targets may be told, ``attested`` what the carrier says of the caller."""

    caller: str | None
    called: str
    identity: Identity
    attested: Attested


def arrival(request: Request, trunk: Trunk) -> Arrival:
    """The facts of an INVITE that came in over ``trunk``."""
    headers = request.headers
    privacy = wanted_privacy(headers)
    places: dict[CallerPlace, Sequence[str]] = {
        "p_asserted_identity": headers.values("P-Asserted-Identity"),
        "remote_party_id": headers.values("Remote-Party-ID"),
        "from": headers.all("From"),
    }
    caller = caller_number(trunk, places, privacy)
    private = bool(privacy - {"none"}) or caller.withheld is not None
    identity = Identity(caller.number, private, caller.withheld, display_name(headers.get("From") or ""))
    return Arrival(caller.number, called_text(request, trunk), identity, told(request, trunk))


def dialled(request: Request, trunk: Trunk | None) -> str:
    """The number for a log: normalised when the trunk is known, else the user part as dialled."""
    return user_part(request.uri)[:64] if trunk is None else called_text(request, trunk)


def called_text(request: Request, trunk: Trunk) -> str:
    """The number that was dialled, from where this trunk's carrier writes it."""
    if trunk.called_number_from == "request_uri":
        number = number_in(request.uri, trunk.country, trunk.number_format_in)
        if number:
            return number
    places = {"request_uri": request.uri}
    for place, name in _PLACES.items():
        value = request.headers.get(name)
        if value is not None:
            places[place] = value
    return called_number(trunk, places)
