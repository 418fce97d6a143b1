"""Filters: do a call's facts and tags fit (``docs/rules.md``, Filters)?

A filter is made ready once, when its object enters the snapshot.
"""

import math
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from edge.model.filter import Filter, compiled
from edge.model.tags import Tags

Test = Callable[[str], bool]


class Facts(Protocol):
    """What is known of a call by name; a fact that is empty is missing."""

    def __contains__(self, name: object) -> bool: ...
    def __getitem__(self, name: str) -> str: ...


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TRUE: Final = frozenset({"true", "yes", "1"})


class Condition(NamedTuple):
    """A filter ready to be asked: ``test`` judges one value, ``words`` say it in the decision log."""

    key: str
    op: str
    test: Test
    words: str


def ready(filters: tuple[Filter, ...]) -> tuple[Condition, ...]:
    """The conditions of an object's filters."""
    return tuple(_condition(item) for item in filters)


def mismatch(conditions: tuple[Condition, ...], facts: Facts, tags: Tags) -> Condition | None:
    """The first condition that the call does not meet; None when it meets them all."""
    for condition in conditions:
        if not _holds(condition, _values(condition.key, facts, tags)):
            return condition
    return None


def _values(key: str, facts: Facts, tags: Tags) -> tuple[str, ...]:
    """Facts come before tags of the same name, which ``tag:`` reaches."""
    if key in facts:
        value = facts[key]
        return (value,) if value else ()
    found = tags.get(key.removeprefix("tag:"), ())
    return (found,) if isinstance(found, str) else found


def _holds(condition: Condition, values: tuple[str, ...]) -> bool:
    """Any of several values will do; on a missing key only "is not" and "does not exist" hold."""
    fits = any(map(condition.test, values))
    return not fits if condition.op in ("!=", "not_exists") else fits


def _condition(item: Filter) -> Condition:
    shown = ", ".join(item.values) if item.op == "in" else "" if item.value is None else str(item.value)
    return Condition(item.key, item.op, _test(item), f"{item.key} {item.op} {shown}".rstrip()[:200])


def _test(item: Filter) -> Test:
    value = item.value
    if item.op in ("exists", "not_exists"):
        return lambda _given: True
    if item.op == "in":
        return frozenset(item.values).__contains__
    if item.op in _ORDER:
        return _comparison(item.op, value)
    text = str(value)
    if item.op == "regex":
        pattern = compiled(text)
        return lambda given: pattern.search(given) is not None
    if item.op == "begins":
        return lambda given: given.startswith(text)
    return lambda given: text in given


def _comparison(op: str, value: object) -> Test:
    """By number or instant when the filter's value is one, by truth when it is true or false, else text."""
    compare = _ORDER[op]
    if isinstance(value, bool):
        return lambda given: compare(given.lower() in _TRUE, value)
    number = float(value) if isinstance(value, int | float) else None
    if number is None and op not in ("==", "!="):
        number = _number(str(value))
    moment = _moment(value) if number is None else None
    if moment is not None:
        return lambda given: (found := _moment(given)) is not None and compare(found, moment)
    if number is None:
        return lambda given: compare(given, value)
    return lambda given: (found := _number(given)) is not None and compare(found, number)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _moment(value: object) -> float | None:
    """The instant (Unix seconds) that a text such as ``2026-11-22T09:00:00Z`` or ``2026-11-22`` names,
    in UTC without an offset."""
    if not isinstance(value, str) or value[4:5] != "-" or value[7:8] != "-":
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
