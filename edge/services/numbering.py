"""What the numbering plan says of a number: its country and kind (Rule: numbers)."""

from functools import lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from edge.model.config import NumberSpec
from edge.services.errors import FieldError

_NORTH_AMERICA = 1
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


def area_code_of(e164: str) -> str | None:
    """The area code of a geographic or North American number, None where the plan has none."""
    try:
        parsed = phonenumbers.parse(e164)
    except NumberParseException:
        return None
    length = phonenumbers.length_of_geographical_area_code(parsed)
    if not length and parsed.country_code == _NORTH_AMERICA and len(str(parsed.national_number)) == 10:
        length = 3
    return phonenumbers.national_significant_number(parsed)[:length] or None


def contradictions(spec: NumberSpec) -> list[FieldError]:
    """Is what the operator says of a number against its digits?"""
    country, kind = plan_of(spec.e164)
    found = []
    if spec.kind is not None and (spec.kind == "toll_free") != (kind == "toll_free"):
        found.append(FieldError("kind", f"the numbering plan says that {spec.e164} is {kind}"))
    if spec.country is not None and country is not None and not _shares_code(spec.country, country):
        found.append(FieldError("country", f"the numbering plan says that {spec.e164} is of {country}"))
    area = area_code_of(spec.e164)
    if spec.area_code is not None and area is not None and spec.area_code != area:
        found.append(FieldError("area_code", f"the numbering plan says that {spec.e164} has {area}"))
    return found


def _shares_code(a: str, b: str) -> bool:
    code = phonenumbers.country_code_for_region
    return bool(code(a) == code(b))


@lru_cache(maxsize=10_000)
def formatted(e164: str) -> str:
    """A number as people of its country write it, such as (800) 555-0100."""
    try:
        parsed = phonenumbers.parse(e164)
    except NumberParseException:
        return e164
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
