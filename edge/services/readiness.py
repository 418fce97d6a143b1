"""Readiness: may new calls come?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of readiness and, when it fails, why."""

    name: str
    ok: bool
    detail: str = ""


class Drainable(Protocol):
    """The switch, as far as draining goes."""

    draining: bool

    def drain(self, max_s: float | None = None) -> int:
        """No new calls; live ones end after ``max_s`` seconds.  Answers how many live."""
        ...


class Readiness:
    """``conditions`` by name (``store``, ``sip``, ``media``): each answers why not, or "" when it holds."""

    def __init__(self, conditions: Mapping[str, Callable[[], str]], switch: Drainable) -> None:
        self._conditions = conditions
        self._switch = switch

    async def checks(self) -> Sequence[Check]:
        """Every condition now; new calls may come when all are ok."""
        found = []
        for name, condition in self._conditions.items():
            why = condition()
            found.append(Check(name, not why, why))
        why = "no new calls are taken: the server is draining" if self._switch.draining else ""
        return [*found, Check("draining", not why, why)]

    def drain(self, max_s: float | None) -> int:
        """No new calls from now; live ones end after ``max_s`` seconds (None: the setting's)."""
        return self._switch.drain(max_s)
