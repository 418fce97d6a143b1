"""What the numbering plan says of a number: its country and kind (Rule: numbers)."""

from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from edge.model.config import NumberSpec
from edge.services.errors import FieldError

Kind = Literal["local", "toll_free", "mobile", "national"]

_KINDS: dict[int, Kind] = {
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.FIXED_LINE: "local",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "local",
    PhoneNumberType.MOBILE: "mobile",
}


def plan_of(e164: str) -> tuple[str | None, Kind]:
    """Country (ISO 3166 alpha-2, None if shared by many) and kind of a number.

    Numbers that the plan does not know are ``national``.
    """
    try:
        parsed = phonenumbers.parse(e164)
    except NumberParseException:
        return None, "national"
    region = phonenumbers.region_code_for_number(parsed)
    country = region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    kind = _KINDS.get(phonenumbers.number_type(parsed), "national")
    return country if country and country.isalpha() and country != "ZZ" else None, kind


def contradictions(spec: NumberSpec) -> list[FieldError]:
    """Is what the operator says of a number against its digits?"""
    country, kind = plan_of(spec.e164)
    found = []
    if spec.kind is not None and (spec.kind == "toll_free") != (kind == "toll_free"):
        found.append(FieldError("kind", f"the numbering plan says that {spec.e164} is {kind}"))
    if spec.country is not None and country is not None and not _shares_code(spec.country, country):
        found.append(FieldError("country", f"the numbering plan says that {spec.e164} is of {country}"))
    return found


def _shares_code(a: str, b: str) -> bool:
    code = phonenumbers.country_code_for_region
    return bool(code(a) == code(b))
