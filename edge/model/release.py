"""How a number leaves service: it cools off, then it is stock again, or gone (Rule: release)."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from edge.model.base import Record

Carrier = Literal["kept", "cancelled"]


class Release(Record):
    """A release: until when the number cools, what was said of it at the carrier (null: nothing
    yet, so it is still billed), and whose it was."""

    released_at: AwareDatetime
    cools_until: AwareDatetime
    carrier: Carrier | None = None
    state: Literal["available", "active", "paused"]
    campaign_id: str | None = None
    publisher_id: str | None = None
    pool_id: str | None = None

    def over(self, now: datetime) -> bool:
        """Half-open: at exactly ``cools_until`` it is over."""
        return now >= self.cools_until
