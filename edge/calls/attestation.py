"""What the carrier says of the caller's number: P-Attestation-Indicator, verstat, a header of its own."""

import re
from typing import TYPE_CHECKING, Final

from edge.calls.ports import IdentityVerifier
from edge.model.attestation import UNKNOWN, Attested, Level, Verstat
from edge.model.config import Trunk
from edge.sip.errors import SipParseError
from edge.sip.headers import parse_name_addr
from edge.sip.message import Request
from edge.sip.uri import parse_uri

if TYPE_CHECKING:
    from edge.calls.call import Call

# As a parameter of P-Asserted-Identity or From (3GPP TS 24.229 7.2A.20), or as the whole value of a
# carrier's own header, there often with the level behind it.
_VERSTAT: Final = re.compile(
    r"(TN-Validation-Passed|TN-Validation-Failed|No-TN-Validation)(?:-([A-C])(?![A-Za-z]))?", re.IGNORECASE
)
_LEVEL: Final = re.compile(r'"?([A-C])"?(?![A-Za-z])', re.IGNORECASE)
_WRITTEN: Final[dict[str, Verstat]] = {
    "tn-validation-passed": "TN-Validation-Passed",
    "tn-validation-failed": "TN-Validation-Failed",
    "no-tn-validation": "No-TN-Validation",
}
_LEVELS: Final[dict[str, Level]] = {"a": "A", "b": "B", "c": "C"}


def told(request: Request, trunk: Trunk) -> Attested:
    """The carrier's word; a level holds unless the number is said not to be valid."""
    headers = request.headers
    own = headers.get(trunk.attestation_header) if trunk.attestation_header else None
    indicator = headers.get("P-Attestation-Indicator")
    asserted, named = headers.get("P-Asserted-Identity") or "", headers.get("From") or ""
    if indicator is None and not own and "verstat" not in (asserted + named).lower():
        return UNKNOWN
    believed = trunk.caller_number_from  # the others may be its customers' own words
    identities = headers.values("P-Asserted-Identity") if "p_asserted_identity" in believed else []
    identities += headers.all("From") if "from" in believed else []
    said = [_param(value) for value in identities if "verstat" in value.lower()]
    judged = [_VERSTAT.search(own or ""), *map(_VERSTAT.match, said)]
    found = [match for match in judged if match is not None]
    verstat: Verstat = _WRITTEN[found[0][1].lower()] if found else ""
    level = _level(indicator) or _level(found[0][2] if found else own)
    if verstat in ("TN-Validation-Failed", "No-TN-Validation"):
        level = ""
    return Attested(level, verstat, "carrier") if level or verstat else UNKNOWN


async def verify(call: "Call", verifier: IdentityVerifier) -> None:
    """Who signed the caller's number; without proof either way the carrier's word stays."""
    facts = call.facts
    callers = [number for number in (facts.caller, call.identity.withheld) if number is not None]
    found = await verifier.verify(call.invite.request.headers.all("Identity"), callers, facts.called)
    if found.by:
        call.facts = call.record.facts = facts._replace(attested=found)
    call.record.step("identity", found.level or "not verified", found.reason)


def _param(identity: str) -> str:
    """The verstat of an identity, wherever its parameters stand; the name before them is the caller's own."""
    try:
        address = parse_name_addr(identity)
        uri = parse_uri(address.uri)
    except SipParseError:
        return ""
    places = (address.params, uri.params, uri.subscriber_params)
    return next((value.strip('"') for params in places if (value := params.get("verstat"))), "")


def _level(text: str | None) -> Level:
    match = _LEVEL.match(text.strip()) if text else None
    return _LEVELS[match[1].lower()] if match is not None else ""
