"""Who is known to a guard, and what the known may send."""

import math
from collections.abc import Iterable
from typing import Protocol

from edge.sip.meters import Allowance


class Sources(Protocol):
    """Who the sources are; asked again at times, and after each edit of the configuration."""

    @property
    def may_log_in(self) -> bool:
        """Whether strangers may turn out to be a trunk without addresses."""
        ...

    def knows(self, host: str) -> bool:
        """Whether an address may never be banned."""
        ...

    def allowance(self, host: str, *, dialled: bool) -> Allowance:
        """What an address that is known, has logged in, or was ``dialled`` by us, may send."""
        ...

    def flooded(self, host: str, allowance: Allowance, times: int) -> None:
        """An address, among others of its owner, has sent so many messages more than its allowance."""
        ...

    def reconsider(self) -> Iterable[str]:
        """The configuration was edited; answers the addresses whose logins count no longer."""
        ...


class Friends:
    """Everybody is known."""

    may_log_in = False

    def knows(self, host: str) -> bool:
        """They are."""
        return True

    def allowance(self, host: str, *, dialled: bool) -> Allowance:
        """Without a limit."""
        return Allowance("", math.inf)

    def flooded(self, host: str, allowance: Allowance, times: int) -> None:
        """Never called: nobody has a limit."""

    def reconsider(self) -> Iterable[str]:
        """Nobody has logged in."""
        return ()
