"""What belongs to the publisher or buyer whose token asks, and what a publisher may change of it.

Everything else is not there: ``NotFound``, with the words of an id that nobody has.  Lists and reads
carry ``within`` down to the query, so that no filter, sort or cursor looks past it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from edge.model.buyer import Buyer
from edge.model.config import NewNumber, Number
from edge.model.publishers import Publisher
from edge.model.tags import protected
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, FieldError, Invalid, NotFound
from edge.services.guard import translated
from edge.services.identity import Identity
from edge.services.numbers import NumberService
from edge.store.numbers import NumberRecords
from edge.store.owners import EVERYWHERE, Within

__all__ = ["EVERYWHERE", "ScopeService", "Within"]
_NOTHING = "there is nothing at this path; /api/docs lists what there is"


class ScopeService:
    """Raises ``NotFound`` for what is out of scope, ``Invalid`` and ``Conflict`` within it."""

    def __init__(
        self, configuration: ConfigurationService, numbers: NumberService, records: NumberRecords
    ) -> None:
        self._configuration = configuration
        self._numbers = numbers
        self._records = records
        self._one_number = asyncio.Lock()

    def publisher(self, identity: Identity) -> Publisher:
        """The publisher whose token this is, with its permissions of now."""
        found = self._configuration.current.publisher(identity.publisher_id or "")
        if found is None:
            raise NotFound(_NOTHING)
        return found

    def buyer(self, identity: Identity) -> Buyer:
        """The buyer whose token this is, with its permissions of now."""
        found = self._configuration.current.buyer(identity.buyer_id or "")
        if found is None:
            raise NotFound(_NOTHING)
        return found

    def owned(self, buyer: Buyer, owner_id: str) -> str:
        """``owner_id`` if it is the buyer or one of its targets."""
        target = self._configuration.current.target(owner_id)
        if owner_id != buyer.id and (target is None or target.buyer_id != buyer.id):
            raise NotFound("there is no number, target, group, buyer or campaign with this id")
        return owner_id

    async def create(self, publisher: Publisher, new: NewNumber) -> Number:
        """A number from stock for the publisher, in a campaign where it has one already."""
        most = publisher.permissions.create_numbers
        if not most:
            raise NotFound(_NOTHING)
        if new.tags:
            self._check_tags(publisher, new.tags)
        async with self._one_number:
            with translated("number"):
                owned = await self._records.owned_by(publisher.id)
            if new.campaign_id not in owned:
                why = "name one in which you have a number already"
                raise Invalid([FieldError("campaign_id", why)])
            if sum(owned.values()) >= most:
                raise Conflict(f"you have {sum(owned.values())} numbers already, and may have {most}")
            mine = new.model_copy(update={"publisher_id": publisher.id})
            mine.model_fields_set.add("publisher_id")
            return await self._numbers.create(mine)

    async def tag(
        self, publisher: Publisher, number_id: str, changes: Mapping[str, Any], expected: int | None
    ) -> Number:
        """A merge patch over the tags that the publisher sees, and the ``sub_id``, of a number of its own."""
        if not publisher.permissions.edit_tags:
            raise NotFound(_NOTHING)
        await self._configuration.get("number", number_id, {"publisher_id": publisher.id})
        tags = changes.get("tags", {})
        if not isinstance(tags, dict):
            raise Invalid([FieldError("tags", "is an object; null is for single keys in it")])
        self._check_tags(publisher, tags)
        made = await self._configuration.patch("number", number_id, changes, expected)
        assert isinstance(made, Number)
        return made

    def _check_tags(self, publisher: Publisher, tags: Mapping[str, Any]) -> None:
        allowed = publisher.permissions
        errors = [
            FieldError(f"tags.{key[:100]}", "there is no such tag that you may write")
            for key in tags
            if not allowed.edit_tags or key.lower() not in allowed.see_tags or protected(key.lower())
        ]
        if errors:
            raise Invalid(errors[:50])
