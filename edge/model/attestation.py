"""How far a caller's number is vouched for (STIR/SHAKEN: ATIS-1000074, RFC 8588)."""

from typing import Final, Literal, NamedTuple

Level = Literal["", "A", "B", "C"]
"""A: the number is the caller's. B: the customer is known. C: a gateway passed the call on. Empty: nobody
says anything that holds."""
Verstat = Literal["", "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"]

RANKS: Final[dict[str, int]] = {"": 0, "C": 1, "B": 2, "A": 3}


class Attested(NamedTuple):
    """What is known of a caller's number: by the ``carrier``'s word, or ``verified`` by us.  ``reason``
    says why a check of ours did not succeed, or what of it is not certain."""

    level: Level = ""
    verstat: Verstat = ""
    by: Literal["", "carrier", "verified"] = ""
    reason: str = ""


UNKNOWN: Final = Attested()
