"""One cap by its id: its ledger, and the reset by hand."""

from asyncio import Future
from collections.abc import Mapping
from typing import Any, Protocol

from edge.clock import Clock
from edge.logs import get_logger
from edge.model.ledger import ResetCap, Unavailable
from edge.services.errors import Conflict, NotFound, StoreDown
from edge.services.guard import translated
from edge.services.insight import CapUse, Current, InsightService
from edge.services.listing import Page
from edge.store.holdings import Holdings

log = get_logger()


class CapStore(Protocol):
    """The group-commit writer, as far as a reset needs it."""

    def submit(self, command: ResetCap) -> "Future[Any]":
        """Queues a command; its answer means that it is durable (or ``Unavailable``)."""
        ...


class CapService:
    """Raises ``NotFound``, ``Invalid`` (a bad cursor), ``Conflict`` and ``StoreDown``."""

    def __init__(
        self,
        configuration: Current,
        insight: InsightService,
        holdings: Holdings,
        store: CapStore,
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._insight = insight
        self._holdings = holdings
        self._store = store
        self._clock = clock

    async def ledger(self, cap_id: str, cursor: str | None, limit: int) -> Page[Mapping[str, Any]]:
        """Who holds or has used what, since when, newest first, and the resets in between."""
        self._owner(cap_id)
        with translated("cap"):
            items, following = await self._holdings.of(cap_id, cursor, limit)
        return Page(items, following)

    async def reset(self, cap_id: str, by: str) -> CapUse:
        """Nothing of the window of this instant is used any more; ``by`` goes into the audit.

        Doing it again changes nothing.  What is reserved stays: those calls live.
        """
        use = await self._use(cap_id)
        if use.window == "concurrency":
            raise Conflict("calls at once are counted while they live: there is nothing to reset")
        answer = await self._store.submit(ResetCap(cap_id, use.key, by, self._clock.utc()))
        if isinstance(answer, Unavailable):
            raise StoreDown("the store can not write now")
        log.info("cap.reset", cap_id=cap_id, owner_id=use.owner_id, window=use.key, used=answer, by=by)
        return await self._use(cap_id)

    async def _use(self, cap_id: str) -> CapUse:
        for use in await self._insight.caps(self._owner(cap_id)):
            if use.id == cap_id:
                return use
        raise NotFound("there is no cap with this id")

    def _owner(self, cap_id: str) -> str:
        owner_id = self._configuration.current.cap_owner(cap_id)
        if owner_id is None:
            raise NotFound("there is no cap with this id")
        return owner_id
