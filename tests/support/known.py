"""Who is known to a guard, set by hand."""

import math
from dataclasses import dataclass, field

from edge.sip.meters import Allowance


@dataclass
class Known:
    """``hosts`` are known; ``allowances`` by host, which who is dialled has none of; ``floods`` collects
    who was over one; ``may_log_in`` says whether strangers may, ``ended`` whose logins count no longer."""

    hosts: set[str] = field(default_factory=set)
    allowances: dict[str, Allowance] = field(default_factory=dict)
    floods: list[tuple[str, str]] = field(default_factory=list)
    flooded_times: int = 0
    may_log_in: bool = False
    ended: list[str] = field(default_factory=list)

    def knows(self, host: str) -> bool:
        return host in self.hosts or host in self.allowances

    def allowance(self, host: str, *, dialled: bool) -> Allowance:
        found = None if dialled else self.allowances.get(host)
        return found or Allowance(host, math.inf)

    def flooded(self, host: str, allowance: Allowance, times: int) -> None:
        self.floods.append((host, allowance.owner))
        self.flooded_times += times

    def reconsider(self) -> list[str]:
        return self.ended
