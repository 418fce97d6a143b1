"""What the API and the public face ask of number pools: small protocols that the services satisfy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from edge.model.config import Number
from edge.model.pool import CallTrackingTag, Pool
from edge.model.visits import Link, PageView, PoolRules
from edge.services.enrichment import Heard
from edge.services.listing import ListQuery, Page
from edge.services.numbers import NumberResult
from edge.services.pool_numbers import PoolNumber
from edge.services.pool_view import Advice, DuplicatePage, PoolFigures
from edge.services.visits import Asking, NumbersAnswer, Shown


class Pools(Protocol):
    """Number pools beyond their set-up (``edge.services.pools``)."""

    def serve_at(self, url: str) -> None:
        """Where browsers reach us, unless the settings say otherwise."""

    def snippet(self, tag: CallTrackingTag) -> str:
        """The line that an operator pastes into the page."""

    def warnings(self, item: Pool | CallTrackingTag) -> Sequence[str]:
        """What is allowed and seldom meant."""

    def rules(self, pool_id: str) -> PoolRules | None:
        """How a pool hands out its numbers; None of one that is gone."""

    def now(self) -> datetime:
        """The instant at which the state of a visit is told."""

    def tags_of(self, number_id: str) -> Sequence[str]:
        """The ids of the call tracking tags that a number is primary of."""

    def left_by(self, number: Number) -> Sequence[CallTrackingTag]:
        """The tags of other campaigns that a number is primary of: they serve nothing."""


class PoolNumbers(Protocol):
    """The numbers of pools (``edge.services.pool_numbers``)."""

    async def list(self, pool_id: str) -> Sequence[PoolNumber]: ...
    async def add(self, pool_id: str, ids: Sequence[str], dry_run: bool) -> Sequence[NumberResult]: ...
    async def withdraw(self, pool_id: str, number_id: str, expected: int | None = None) -> Number: ...
    async def delete(self, pool_id: str, expected: int | None) -> None: ...


class PoolView(Protocol):
    """What is known of pools and their visits (``edge.services.pool_view``)."""

    async def impressions(self, query: ListQuery) -> Page[Mapping[str, Any]]: ...
    async def impression(self, impression_id: str) -> Mapping[str, Any]: ...
    async def link(self, impression_id: str) -> Link: ...
    async def figures(self, pool_id: str, since: datetime | None, until: datetime | None) -> PoolFigures: ...
    async def advice(
        self, pool_id: str, since: datetime | None, share: float, hold_s: int | None
    ) -> Advice: ...
    async def duplicates(self, campaign_id: str) -> Sequence[DuplicatePage]: ...


class Enrichment(Protocol):
    """What publishers say of callers (``edge.services.enrichment``)."""

    async def say(self, campaign_id: str, caller: str, data: Mapping[str, object]) -> Heard:
        """Keeps it for the caller's next calls, and tells it to those that are up."""


class Visits(Protocol):
    """What browsers ask for (``edge.services.visits``); raises ``NotFound`` and ``StoreDown``."""

    def active_tags(self, campaign_id: str) -> Sequence[CallTrackingTag]:
        """The tags that the snippet of a campaign serves; raises ``NotFound`` when there is none."""

    def active(self, campaign_id: str) -> None:
        """Raises ``NotFound`` unless a campaign takes calls."""

    def allows(self, campaign_id: str, origin: str | None) -> bool:
        """Whether pages of a site may use the campaign's snippet."""

    def may_beat(self, asking: Asking) -> bool:
        """Whether an address has not sent too much lately."""

    async def duplicate(self, campaign_id: str, page_url: str) -> None:
        """A second snippet ran on a page and did nothing."""

    async def numbers(
        self, campaign_id: str, visitor_id: str, view: PageView, data: Mapping[str, object], asking: Asking
    ) -> NumbersAnswer: ...
    async def activity(
        self, impression_id: str, visitor_id: str, generation: int, data: Mapping[str, object], asking: Asking
    ) -> Shown | None: ...
    async def close(self, impression_id: str, visitor_id: str, generation: int, asking: Asking) -> None: ...


class PoolPorts(Protocol):
    """Everything about pools (``edge.services.pooling``)."""

    @property
    def setup(self) -> Pools: ...
    @property
    def numbers(self) -> PoolNumbers: ...
    @property
    def view(self) -> PoolView: ...
    @property
    def visits(self) -> Visits: ...
