"""Numbers as they come over the wire, made E.164 once, before routing.

Sources: interoperation with carriers, RFC 3966 (tel URI), RFC 3261 section 19.1.6 (telephone
subscribers in SIP URIs), RFC 4694 (``npdi``/``rn`` are about portability and are ignored),
RFC 3325 (asserted identity) and RFC 3323 (privacy).
"""

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from edge.model.config import Trunk
from edge.model.sip import CallerPlace, NumberFormat, NumberFormatIn

MAX_DIGITS: Final = 15
MIN_DIGITS: Final = 4
_MAX_TEXT: Final = 64
_MOST_IDENTITIES: Final = 4
"""Values of one header that are looked at for the caller: there are two at most (RFC 3325 section 9.1)."""
_MAX_VALUE: Final = 256
_E164: Final = re.compile(r"\+[1-9][0-9]{3,14}")
# What most carriers write: a SIP URI with nothing but digits before its host, a name in front perhaps.
_USUAL: Final = re.compile(
    r"(?:(?:\"[^\"\\]*\")?[^\"<>]*<)?[Ss][Ii][Pp][Ss]?:(\+?[0-9]+)@[^@<>\"]*(?:>[^@<>\"]*)?"
)
# The countries of the North American plan write 10 digits, or 11 with a leading 1.
NANP: Final = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])
_PUNCTUATION: Final = {ord(c): None for c in " -.()/\u00a0\u2010\u2011\u2013\t"}
_ANONYMOUS: Final = frozenset(("anonymous", "restricted", "unavailable", "unknown", "private"))
_PRIVATE: Final = frozenset(("id", "user", "header"))
_WITHHELD: Final = frozenset(("privacy=full", "privacy=uri"))


class Parts(NamedTuple):
    """A number taken apart: of North America area code, exchange (``prefix``) and line (``suffix``);
    elsewhere what the plan says of it.  ``country`` is ISO 3166 alpha-2."""

    national: str
    area_code: str
    prefix: str
    suffix: str
    country: str


@lru_cache(maxsize=4096)
def parts_of(e164: str) -> Parts:
    """What a number's digits tell; empty where the plan does not say."""
    parsed = _parsed(e164, None)
    if parsed is None:
        return Parts(e164.lstrip("+"), "", "", "", "")
    national = phonenumbers.national_significant_number(parsed)
    country = phonenumbers.region_code_for_number(parsed)
    country = country or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    country = country if country.isalpha() and country != "ZZ" else ""
    if parsed.country_code == 1 and len(national) == 10:
        return Parts(national, national[:3], national[3:6], national[6:], country)
    length = phonenumbers.length_of_geographical_area_code(parsed)
    return Parts(national, national[:length], "", national[-4:], country)


def normalise(text: str, country: str, form: NumberFormatIn = "auto") -> str | None:
    """E.164 with ``+`` of a number as a carrier of ``country`` (ISO 3166 alpha-2) writes it.

    Understands ``+E.164``, E.164 without the plus, national digits and international prefixes,
    with any punctuation; without a plus ``form`` may say which of these it is.  None when it can
    not be a phone number.
    """
    if _E164.fullmatch(text) is not None:
        return text
    if form == "e164":
        bare = text.translate(_PUNCTUATION)
        return "+" + bare.lstrip("+") if _is_digits(bare.lstrip("+")) else None
    if country in NANP and text.isascii() and text.isdigit():
        if len(text) == 10 and text[0] > "1":
            return "+1" + text
        if len(text) == 11 and text[0] == "1":
            return "+" + text
    return _slow(text, country, form) if 0 < len(text) <= _MAX_TEXT else None


def _is_digits(text: str) -> bool:
    return MIN_DIGITS <= len(text) <= MAX_DIGITS and text.isascii() and text.isdigit() and text[0] != "0"


@lru_cache(maxsize=4096)
def _slow(text: str, country: str, form: NumberFormatIn) -> str | None:
    """The library takes 50-100 µs a number, so it sees only what the quick rules leave, once."""
    bare = text.translate(_PUNCTUATION)
    if bare != text:
        return normalise(bare, country, form)
    if not (bare.isascii() and bare.isdigit()):
        return None
    national, international = _parsed(bare, country), _parsed("+" + bare, None)
    if form == "national":
        international = None
    for number, fits in (
        (national, phonenumbers.is_valid_number),
        (international, phonenumbers.is_valid_number),
        (national, phonenumbers.is_possible_number),
    ):
        if number is not None and fits(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return None


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def user_part(value: str) -> str:
    """The number in a header value or URI, as written: its user part, or a tel URI's digits.

    Accepts ``"Name" <sip:+1312…;npdi;rn=…@host;user=phone>``, ``sip:…``, ``tel:…`` and bare
    digits; parameters go, but a global ``phone-context`` is put in front.  ``""`` if there is none.
    """
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        return usual[1]
    uri = _address(value)
    scheme, colon, rest = uri.partition(":")
    if not colon:
        scheme, rest = "tel", uri
    if scheme.lower() == "tel":
        user = rest
    elif "@" in rest:
        user = rest.rpartition("@")[0]
    else:
        return ""
    number, _, parameters = user.partition(";")
    if scheme.lower() != "tel":
        # A password after the user is deprecated and none of our business (RFC 3261 section 19.1.1).
        number = number.partition(":")[0]
    number = unquote(number) if "%" in number else number
    number = _with_context(number, parameters) if parameters else number
    return number if number.isascii() and number.isprintable() else _clean(number)


def _clean(text: str) -> str:
    """Control characters and bytes that are no UTF-8 become U+FFFD: logs and records take it as it is."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\ufffd" for char in whole)


def _address(value: str) -> str:
    """The URI inside the angle brackets, if there are any; a quoted name may hold brackets too."""
    value = value.strip()
    if value.startswith('"'):
        value = _after_quoted(value)
    start = value.find("<")
    return value if start < 0 else value[start + 1 :].partition(">")[0]


def _after_quoted(value: str) -> str:
    place = 1
    while place < len(value) and value[place] != '"':
        place += 2 if value[place] == "\\" else 1
    return value[place + 1 :]


def _with_context(number: str, parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, context = parameter.partition("=")
        if name.strip().lower() == "phone-context" and context.startswith("+") and number[:1] != "+":
            return context + number
    return number


def number_in(value: str, country: str, form: NumberFormatIn = "auto") -> str:
    """The E.164 number in a header value or URI; what it says there when it is none (bounded)."""
    return (_number_in if len(value) <= _MAX_VALUE else _number_in.__wrapped__)(value, country, form)


# Numbers of ours are dialled again and again.
@lru_cache(maxsize=4096)
def _number_in(value: str, country: str, form: NumberFormatIn) -> str:
    user = user_part(value)
    return normalise(user, country, form) or user[:_MAX_TEXT]


def written(e164: str, form: NumberFormat, country: str) -> str:
    """An E.164 number as a peer of ``country`` wants it: the country's own numbers ``national`` as they
    are dialled there, every other one then with its plus, since bare digits would be taken for national."""
    if form == "e164_plus":
        return e164
    if form == "e164":
        return e164[1:]
    if country in NANP:
        return e164[2:] if e164[:2] == "+1" else e164
    return _national(e164, country)


@lru_cache(maxsize=4096)
def region_of(e164: str) -> str | None:
    """The country (ISO 3166 alpha-2) of an E.164 number; of those that share its code, by the digits."""
    number = _parsed(e164, None)
    return None if number is None else phonenumbers.region_code_for_number(number)


@lru_cache(maxsize=4096)
def _national(e164: str, country: str) -> str:
    number = _parsed(e164, None)
    if number is None or number.country_code != phonenumbers.country_code_for_region(country):
        return e164
    text = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return "".join(char for char in text if char.isdigit())


def called_number(trunk: Trunk, headers: dict[str, str]) -> str:
    """The number that was dialled, from where this trunk's carrier puts it (rule: Called number).

    ``headers`` holds raw values by the names of ``called_number_from``; what is missing or empty
    there falls back to ``request_uri`` and then ``to``.
    """
    for place in (trunk.called_number_from, "request_uri", "to"):
        value = headers.get(place)
        if value and (number := number_in(value, trunk.country, trunk.number_format_in)):
            return number
    return ""


class Caller(NamedTuple):
    """Who calls: E.164, None when withheld or no number.  ``withheld`` is the number that the caller
    does not want shown, for peers that are trusted with it (RFC 3325)."""

    number: str | None
    withheld: str | None = None


def caller_number(
    trunk: Trunk, headers: Mapping[CallerPlace, Sequence[str]], privacy: Set[str] = frozenset()
) -> Caller:
    """The caller, from the first place that names one, in the order of the trunk's
    ``caller_number_from`` (rule: Caller number).

    ``headers`` holds raw values; of several P-Asserted-Identity values a sip URI comes before a tel
    URI.  ``privacy`` is what the caller asks for, in lower case: ``id``, ``user`` or ``header`` withhold the
    number, as does a Remote-Party-ID that says so itself.
    """
    for place in trunk.caller_number_from:
        values = headers.get(place, ())[:_MOST_IDENTITIES]
        if len(values) > 1:
            values = sorted(values, key=lambda value: _address(value)[:4].lower() == "tel:")
        for value in values:
            if not (user := user_part(value)):
                continue
            if user.lower() in _ANONYMOUS:
                return Caller(None)
            if (number := normalise(user, trunk.country, trunk.number_format_in)) is not None:
                hidden = not _PRIVATE.isdisjoint(privacy) or _is_withheld(place, value)
                return Caller(None, number) if hidden else Caller(number)
    return Caller(None)


def _is_withheld(place: CallerPlace, value: str) -> bool:
    """Whether an identity asks for privacy itself (draft-ietf-sip-privacy-04)."""
    if place != "remote_party_id" or "privacy" not in value.lower():
        return False
    params = "".join(value.rpartition(">")[2].lower().replace('"', "").split()).split(";")
    return not _WITHHELD.isdisjoint(params)
