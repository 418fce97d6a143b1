"""Fills placeholders in a target's headers and address (rule: placeholders)."""

from functools import partial
from typing import Final
from urllib.parse import quote

from edge.model.config import Target
from edge.model.placeholders import Lookup, filled
from edge.model.tags import Tags
from edge.routing.known import CAMPAIGN_KEYS, Known
from edge.routing.snapshot import Snapshot
from edge.sip.headers import writable


class Values:
    """What the placeholders of one call stand for when a target is dialled, looked up when they are met."""

    __slots__ = ("_key", "_known", "_snapshot", "_tags", "_target")

    def __init__(
        self, known: Known, tags: Tags, key: str, snapshot: Snapshot, target: Target | None = None
    ) -> None:
        self._known = known
        self._tags = tags
        self._key = key
        self._snapshot = snapshot
        self._target = target

    def toward(self, target: Target) -> "Values":
        """The same, and what the target itself adds."""
        return Values(self._known, self._tags, self._key, self._snapshot, target)

    def get(self, name: str, default: str, /) -> str:
        """The value of a placeholder; ``default`` where it is not known."""
        if name in self._known:
            return self._known[name] or default
        if name.startswith("tag:") or name in CAMPAIGN_KEYS:
            value = self._tags.get(name.removeprefix("tag:"), default)
            return value if isinstance(value, str) else ",".join(value)
        if name == "call_key":
            return self._key
        return default if self._target is None else self._of_target(self._target).get(name, default)

    def _of_target(self, target: Target) -> dict[str, str]:
        buyer = self._snapshot.buyer(target.buyer_id or "")
        return {
            "target_id": target.id,
            "target_name": target.name,
            "target_number": target.address,
            "buyer_id": target.buyer_id or "",
            "buyer_name": buyer.name if buyer is not None else "",
        }


def fill(text: str, values: Lookup) -> str:
    """``text`` with its placeholders replaced; an unknown one becomes empty, control characters vanish, and
    what is no character becomes ``?``."""
    if "[" not in text:
        return text
    made = writable(filled(text, values))
    return made if made.isascii() else made.encode("utf-8", "replace").decode()


def fill_address(text: str, values: Lookup) -> str:
    """The same for a URI: a value fills its own place only, and never becomes a host or a parameter.

    Some values are what a caller dialled, and no caller steers where a call goes (rule: trunks).  A user
    part that stays empty is left out with its ``@``.
    """
    if "[" not in text:
        return text
    user, at, host = text.rpartition("@")
    made = filled(user, values, _escape_user) + at if at else ""
    return made.replace(":@", ":", 1) + filled(host, values, _escape_host)


def example(address: str) -> str:
    """An address as it may come out: with a digit, which is good anywhere, for each placeholder."""
    return filled(address, _DIGITS)


class _Digits:
    def get(self, _name: str, _default: str, /) -> str:
        return "1"


_DIGITS: Final = _Digits()
_USER: Final = "!~*'()+"
_escape_user = partial(quote, safe=_USER, errors="replace")
_escape_host = partial(quote, safe=_USER + ":", errors="replace")
