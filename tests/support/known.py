"""Who is known to a guard, set by hand."""

from dataclasses import dataclass, field

from edge.sip.guard import Allowance


@dataclass
class Known:
    """``hosts`` are known; ``allowances`` by host; ``floods`` collects who was over one."""

    hosts: set[str] = field(default_factory=set)
    allowances: dict[str, Allowance] = field(default_factory=dict)
    floods: list[tuple[str, str]] = field(default_factory=list)

    def knows(self, host: str) -> bool:
        return host in self.hosts or host in self.allowances

    def allowance(self, host: str) -> Allowance | None:
        return self.allowances.get(host)

    def flooded(self, host: str, allowance: Allowance) -> None:
        self.floods.append((host, allowance.owner))
