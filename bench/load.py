"""What a load run is told, and what its caller saw."""

from collections.abc import Sequence
from typing import NamedTuple


class Ends(NamedTuple):
    """Where the load stands: the caller's and the target's host and port, the number dialled."""

    caller: tuple[str, int]
    target: tuple[str, int]
    number: str


class Load(NamedTuple):
    """``calls`` calls to ``server`` (``host:port``), ``rate`` a second, each held for ``hold_s`` seconds."""

    server: str
    ends: Ends
    rate: int
    calls: int
    hold_s: float
    transport: str


class Placed(NamedTuple):
    """Calls that were answered and ended as they should, and the time to the answer of each that had one."""

    good: int
    answers_ms: Sequence[float]
    retransmissions: int = 0
