"""The caller's past, asked for once a call and only where a target or the route wants to know."""

from edge.calls.services import CallServices
from edge.model.callers import NO_PAST, CallerPast
from edge.model.decision import Proceed
from edge.routing.choose import tiers_of
from edge.routing.past import needed
from edge.routing.snapshot import Snapshot


class Past:
    """What is known of the caller of one call."""

    def __init__(self, services: CallServices, caller: str | None, snapshot: Snapshot) -> None:
        self._services = services
        self._caller = caller
        self._snapshot = snapshot
        self._known: CallerPast | None = None

    async def before(self, proceed: Proceed) -> CallerPast:
        """The past as the choice of this call's targets needs it; most need none."""
        snapshot = self._snapshot
        if not snapshot.askers or self._caller is None:
            return NO_PAST
        if self._known is None and needed(proceed, tiers_of(proceed, snapshot), snapshot):
            self._known = await self._services.past(self._caller)
        return self._known or NO_PAST
