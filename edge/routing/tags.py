"""Which of several writes of a tag holds (``docs/rules.md``, Tags)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, get_args

from edge.model.decision import Proceed
from edge.model.instants import to_text
from edge.model.tags import MOST_WRITES, TagOrigin, Tags, TagWrite, Value

_RANK: Final = {origin: place for place, origin in enumerate(get_args(TagOrigin))}


def held(own: Tags, writes: Iterable[TagWrite], *, late: bool = False) -> dict[str, Value]:
    """What holds: a key set on the number (``own``) always; else the later origin, and within one the
    later write.  What came late counts only where that is asked for."""
    found = {w.key: w.value for w in sorted(writes, key=_rank) if late or not w.late}
    return {**found, **own}


def _rank(write: TagWrite) -> int:
    return _RANK[write.origin]


def tagged(proceed: Proceed, own: Tags, origin: TagOrigin, tags: Tags, at: datetime) -> Proceed:
    """The call with these tags written to it."""
    if not tags:
        return proceed
    new = (TagWrite(key, value, origin, at) for key, value in tags.items())
    writes = (*proceed.writes, *new)[:MOST_WRITES]
    return replace(proceed, writes=writes, tags=held(own, writes))


def told(own: Tags, writes: Iterable[TagWrite]) -> dict[str, dict[str, Any]]:
    """The tags as a call's record tells them: each key's value and origin, and what it shadowed."""
    found: dict[str, dict[str, Any]] = {}
    for write in sorted(writes, key=_rank):
        if write.key in own:
            continue
        before = found.get(write.key)
        found[write.key] = _one(write)
        if before is not None:
            shadowed = [*before.pop("shadowed", []), before]
            found[write.key]["shadowed"] = shadowed
    for key, value in own.items():
        found[key] = {"value": _plain(value), "origin": "number"}
        lost = [_one(write) for write in writes if write.key == key]
        if lost:
            found[key]["shadowed"] = lost
    return found


def _one(write: TagWrite) -> dict[str, Any]:
    one = {"value": _plain(write.value), "origin": write.origin, "at": to_text(write.at)}
    return {**one, "late": True} if write.late else one


def _plain(value: Value) -> str | list[str]:
    return value if isinstance(value, str) else list(value)
