"""Filters: do a call's facts and tags fit (``docs/rules.md``, Filters)?

A filter is made ready once, when its object enters the snapshot.
"""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from edge.model.decision import CallFacts, Proceed
from edge.model.filter import Filter, compiled

Test = Callable[[str], bool]
Tags = Mapping[str, str | tuple[str, ...]]

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


def mismatch(conditions: tuple[Condition, ...], facts: Mapping[str, str], tags: Tags) -> Condition | None:
    """The first condition that the call does not meet; None when it meets them all."""
    for condition in conditions:
        if not _holds(condition, _values(condition.key, facts, tags)):
            return condition
    return None


def known(proceed: Proceed, call: CallFacts) -> dict[str, str]:
    """The facts that filters may name, by the names of the placeholders; one that is empty is missing."""
    caller = call.caller or ""
    return {
        "call_id": call.call_id,
        "caller_number": caller,
        "caller_number_no_plus": caller.lstrip("+"),
        "caller_anonymous": "false" if caller else "true",
        "number": call.called,
        "number_no_plus": call.called.lstrip("+"),
        "number_id": proceed.number_id,
        "campaign_id": proceed.campaign_id,
    }


def _values(key: str, facts: Mapping[str, str], tags: Tags) -> tuple[str, ...]:
    """Facts come before tags of the same name, which ``tag:`` reaches."""
    if key in facts:
        return (facts[key],) if facts[key] else ()
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
    """By number when the filter's value is one, by truth when it is true or false, else as text."""
    compare = _ORDER[op]
    if isinstance(value, bool):
        return lambda given: compare(given.lower() in _TRUE, value)
    number = float(value) if isinstance(value, int | float) else None
    if number is None and op not in ("==", "!="):
        number = _number(str(value))
    if number is None:
        return lambda given: compare(given, value)
    return lambda given: (found := _number(given)) is not None and compare(found, number)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
