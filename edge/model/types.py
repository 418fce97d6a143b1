"""The values that fields of the configuration take: checked texts, numbers and their bounds.

Phone numbers are E.164 with ``+``; zones are IANA names.
"""

import ipaddress
import re
import zoneinfo
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, SecretStr, StringConstraints

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_e164(value: str) -> bool:
    """Whether it is E.164 with its ``+``."""
    return re.fullmatch(r"\+[1-9][0-9]{3,14}", value) is not None


def check_e164(value: str) -> str:
    """``value`` if it is E.164 with its ``+``; raises ``ValueError``."""
    if not is_e164(value):
        raise ValueError("must be E.164: '+', then 4 to 15 digits, such as +18005550100")
    return value


# Every object read asks; zoneinfo's list of all zones takes 7 to 60 ms, one zone's file well under 1 ms.
@lru_cache(maxsize=1000)
def _is_zone(value: str) -> bool:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not value.startswith(("posix/", "right/"))


def _zone(value: str) -> str:
    if not _is_zone(value) or ("/" not in value and value != "UTC"):
        raise ValueError(f"{value!r} is no IANA time zone; use a name such as America/New_York")
    return value


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be an instant of the years 1 to 9999 in UTC") from None


def _near(at: datetime) -> datetime:
    # Calendars reach some years beyond whatever is asked.
    if not 1900 <= at.year < 9900:
        raise ValueError("must lie in the years 1900 to 9899")
    return at


def _cidr(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError(f"{value!r} is no IP address or CIDR block: {error}") from None


E164 = Annotated[
    str, AfterValidator(check_e164), Field(json_schema_extra={"pattern": r"^\+[1-9][0-9]{3,14}$"})
]
# Word processors and telephone books write spaces and hyphens of other kinds, and marks of direction.
_PUNCTUATION = re.compile(r"[ ().\-/\u00a0\u00ad\u2009-\u2015\u202a-\u202f\u2066-\u2069]")


def _plain(value: object) -> object:
    """A telephone number without the punctuation that people write in it."""
    return _PUNCTUATION.sub("", value) if isinstance(value, str) and len(value) < 50 else value


Dialled = Annotated[
    str,
    BeforeValidator(_plain),
    AfterValidator(check_e164),
    Field(json_schema_extra={"pattern": r"^\+[0-9 ().\-/]{4,48}$", "description": "E.164"}),
]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
Moment = Annotated[Instant, AfterValidator(_near)]
"""An instant for which rules are asked."""
Zone = Annotated[str, AfterValidator(_zone)]
Cidr = Annotated[str, AfterValidator(_cidr)]
TagKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,64}$", to_lower=True)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")]
HeaderValue = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\r\n\x00]*$")]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Username = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Password = Annotated[SecretStr, Field(max_length=200)]
Codec = Annotated[str, StringConstraints(min_length=1, max_length=32)]
# No count of calls comes near it, and every store can hold it.
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
WallTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Blocks = Annotated[tuple[tuple[WallTime, WallTime], ...], Field(max_length=24)]
TagValue = Annotated[str, StringConstraints(max_length=1000)]
TagValues = Annotated[tuple[TagValue, ...], Field(max_length=50)]
UriPart = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\s<>\"\x00-\x1f]*$")]


def minutes(wall: str) -> int:
    """Minutes since local midnight of a wall time ``HH:MM``; ``24:00`` is 1440."""
    return int(wall[:2]) * 60 + int(wall[3:])
