"""A PASSporT out of an Identity header (RFC 8224 section 4.1, RFC 8225), and whether it is of this call."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from edge.model.attestation import Level
from edge.stir.errors import Unproven, Wrong

MAX_LENGTH: Final = 8192
_HEADER: Final = re.compile(
    r"([A-Za-z0-9_-]{1,4000})\.([A-Za-z0-9_-]{1,4000})\.([A-Za-z0-9_-]{1,200})[ \t]*(;.*)?"
)
_INFO: Final = re.compile(r";[ \t]*info[ \t]*=[ \t]*<([^>]{1,1000})>", re.IGNORECASE)
_URL: Final = re.compile(r"https://[A-Za-z0-9.\-]{1,253}(:\d{1,5})?(/[!-~]{0,1000})?")
_LEVELS: Final[dict[str, Level]] = {"A": "A", "B": "B", "C": "C"}
SIGNATURE_OCTETS: Final = 64
LATEST: Final = 1 << 40
"""Seconds since 1970: what is later is no time."""


class Passport(NamedTuple):
    """What was signed: ``certificate`` is the https address of the signer's, ``issued_at`` in seconds since
    1970; numbers are digits without a plus; ``signed`` and ``signature`` are what ES256 is about."""

    certificate: str
    issued_at: int
    caller: str
    called: tuple[str, ...]
    level: Level
    origin_id: str
    signed: bytes
    signature: bytes


def shaken(identities: Sequence[str]) -> Passport:
    """The first SHAKEN PASSporT (RFC 8588) of a call's Identity headers; others (diversion, priority) say
    nothing of the caller, and may be in a form that is not read.  Raises Unproven."""
    why = Unproven("no SHAKEN identity")
    for value in identities:
        try:
            header, payload, raw, signed, info = _parts(value)
        except Unproven as unreadable:
            why = unreadable
            continue
        if header.get("ppt") == "shaken":
            return _passport(header, payload, raw, signed, info)
    raise why


def check(passport: Passport, callers: Sequence[str], called: str, now_s: float, max_age_s: float) -> None:
    """Raises Wrong unless it is fresh and about this call; numbers are E.164 with their plus."""
    if abs(now_s - passport.issued_at) > max_age_s:
        raise Wrong(f"issued {now_s - passport.issued_at:.0f} s ago")
    if passport.caller not in {number.lstrip("+") for number in callers}:
        raise Wrong("it was signed for another caller")
    if called.lstrip("+") not in passport.called:
        raise Wrong("it was signed for another called number")


def _parts(value: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes, str | None]:
    match = _HEADER.fullmatch(value.strip()) if len(value) <= MAX_LENGTH else None
    if match is None:
        raise Unproven("the identity is not in the full form of a PASSporT")
    info = _INFO.search(match[4] or "")
    signed = f"{match[1]}.{match[2]}".encode()
    return _json(match[1]), _json(match[2]), _bytes(match[3]), signed, info[1] if info else None


def _passport(
    header: dict[str, Any], payload: dict[str, Any], signature: bytes, signed: bytes, info: str | None
) -> Passport:
    if header.get("alg") != "ES256" or header.get("typ") != "passport":
        raise Wrong("it is not signed with ES256")
    address = header.get("x5u")
    if not isinstance(address, str) or _URL.fullmatch(address) is None:
        raise Wrong("it names no https certificate")
    if info is not None and info != address:
        raise Wrong("header and PASSporT name different certificates")
    level, origin_id = _LEVELS.get(str(payload.get("attest"))), payload.get("origid")
    if level is None or not isinstance(origin_id, str):
        raise Wrong("it attests nothing")
    if len(signature) != SIGNATURE_OCTETS:
        raise Wrong("its signature has another length")
    issued_at = payload.get("iat")
    if not isinstance(issued_at, int) or isinstance(issued_at, bool) or not 0 <= issued_at < LATEST:
        raise Wrong("it does not say when it was issued")
    caller, called = _numbers(payload.get("orig")), _numbers(payload.get("dest"))
    if len(caller) != 1 or not called:
        raise Wrong("it names no telephone numbers")
    return Passport(address, issued_at, caller[0], called, level, origin_id, signed, signature)


def _numbers(party: Any) -> tuple[str, ...]:
    """The numbers of ``orig`` (one) or ``dest`` (a list)."""
    named = party.get("tn") if isinstance(party, dict) else None
    listed = named if isinstance(named, list) else [named]
    return tuple(number.lstrip("+") for number in listed[:100] if isinstance(number, str))


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(text))
    except (ValueError, RecursionError):
        raise Wrong("the PASSporT is not readable") from None
    if not isinstance(found, dict):
        raise Wrong("the PASSporT is not readable")
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Wrong("the PASSporT is not readable") from None
