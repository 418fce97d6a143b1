"""Keys that a caller presses: telephone-events (RFC 4733) and SIP INFO, one source a call."""

import re
from typing import Final, Literal

from edge.calls.happenings import Happening, MediaHappened, SipHappened
from edge.calls.leg import Leg
from edge.media.engine import Dtmf
from edge.sip.events import Info

_RELAY: Final = re.compile(rb"^[ \t]*signal[ \t]*=[ \t]*([0-9*#A-D]|1[01])[ \t]*\r?$", re.I | re.M)
_PLAIN: Final = re.compile(rb"\s*([0-9*#A-D])\s*", re.I)
# Some gateways tell the two keys without a figure by their event codes (RFC 4733 section 3.2).
_CODES: Final = {"10": "*", "11": "#"}


RELAY_TYPE: Final = "application/dtmf-relay"


def info_body(digit: str, duration_ms: int = 160) -> bytes:
    """The INFO of ``RELAY_TYPE`` that tells of a key."""
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()


def info_key(content_type: str, body: bytes) -> str | None:
    """The key of an INFO with ``application/dtmf-relay`` or ``application/dtmf``; None: it has none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == RELAY_TYPE:
        found = _RELAY.search(body[:500])
    elif kind == "application/dtmf":
        found = _PLAIN.fullmatch(body[:20])
    else:
        return None
    digit = found[1].decode().upper() if found is not None else None
    return None if digit is None else _CODES.get(digit, digit)


class Keys:
    """One leg's keys.  A phone that tells a press both ways is believed the way it used first."""

    def __init__(self) -> None:
        self._way: Literal["rtp", "info"] | None = None

    def pressed(self, leg: Leg, happening: Happening) -> str | None:
        """The key that a happening tells of, if it is one of this leg."""
        match happening:
            case MediaHappened(leg=where, event=Dtmf(digit=digit)) if where is leg:
                return digit if self._is("rtp") else None
            case SipHappened(leg=where, event=Info(content_type=kind, body=body)) if where is leg:
                key = info_key(kind, body)
                return key if key is not None and self._is("info") else None
            case _:
                return None

    def _is(self, way: Literal["rtp", "info"]) -> bool:
        if self._way is None:
            self._way = way
        return self._way == way


class Onward:
    """Keys of a peer that was told of telephone-events by us, to one that takes none: by INFO."""

    def __init__(self) -> None:
        self._keys: dict[Leg, Keys] = {}

    def passed(self, leg: Leg, other: Leg, happening: MediaHappened | SipHappened) -> bool:
        """Whether that is all that is to become of it: a key is told, or was told the other way already."""
        if other.invite is None or other.events is not None:
            return False
        event = happening.event
        if isinstance(event, Info) and info_key(event.content_type, event.body) is None:
            return False
        digit = self._keys.setdefault(leg, Keys()).pressed(leg, happening)
        if digit is not None and isinstance(event, Info):
            return False  # it goes on as it came
        if digit is not None:
            other.invite.info(RELAY_TYPE, info_body(digit))
        return True
