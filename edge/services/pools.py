"""Number pools beyond their set-up: the line to paste, what is seldom meant, who shows which number."""

from collections.abc import Sequence
from datetime import datetime

from edge.clock import Clock
from edge.model.config import Number
from edge.model.pool import CallTrackingTag, Pool
from edge.model.visits import PoolRules
from edge.routing.pools import rules_of
from edge.services.insight import Current
from edge.services.membership import pool_warnings, tag_warnings
from edge.snippet.script import install_line


class PoolService:
    """``public_url`` is where browsers reach us; empty: ``serve_at`` says it."""

    def __init__(self, configuration: Current, clock: Clock, public_url: str = "") -> None:
        self._configuration = configuration
        self._clock = clock
        self._base = public_url

    def serve_at(self, url: str) -> None:
        """Where browsers reach us, unless the settings say otherwise."""
        self._base = self._base or url

    def snippet(self, tag: CallTrackingTag) -> str:
        """The line that an operator pastes into the page."""
        return install_line(self._base, tag.campaign_id)

    def warnings(self, item: Pool | CallTrackingTag) -> Sequence[str]:
        """What is allowed and seldom meant."""
        snapshot = self._configuration.current
        found = pool_warnings(item, snapshot) if isinstance(item, Pool) else tag_warnings(item, snapshot)
        return list(found)

    def rules(self, pool_id: str) -> PoolRules | None:
        """How a pool hands out its numbers; None of one that is gone."""
        pool = self._configuration.current.pools.pool(pool_id)
        return None if pool is None else rules_of(pool)

    def now(self) -> datetime:
        """The instant at which the state of a visit is told."""
        return self._clock.utc()

    def tags_of(self, number_id: str) -> Sequence[str]:
        """The ids of the call tracking tags that a number is primary of."""
        return self._configuration.current.pools.primary_of(number_id)

    def left_by(self, number: Number) -> Sequence[CallTrackingTag]:
        """The tags of other campaigns that a number is primary of: they serve nothing."""
        pools = self._configuration.current.pools
        tags = (pools.tag(tag_id) for tag_id in pools.primary_of(number.id))
        return [tag for tag in tags if tag is not None and tag.campaign_id != number.campaign_id]
