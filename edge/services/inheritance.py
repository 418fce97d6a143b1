"""The four settings of a number that it inherits or has of its own (Rule: inherited settings)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.model.config import Campaign, Number, Routes
from edge.model.inherited import SETTINGS, Effective, Setting
from edge.routing.inheritance import effective, is_own, locked, with_own
from edge.services.configuration import ConfigurationService
from edge.services.differences import Difference, differences
from edge.services.errors import Conflict, FieldError, Invalid, NotFound
from edge.services.guard import translated
from edge.store.numbers import NumberRecords

MAX_DIFFERENCES = 100
MAX_NUMBERS = 500


@dataclass(frozen=True, slots=True)
class Deviation:
    """A number's own setting, against its campaign's."""

    number_id: str
    e164: str
    setting: Setting
    differences: tuple[Difference, ...]


class InheritanceService:
    """Edits are optimistic like all others: ``Stale`` when the number has another version."""

    def __init__(self, configuration: ConfigurationService, records: NumberRecords) -> None:
        self._configuration = configuration
        self._records = records

    def effective(self, number: Number) -> Mapping[Setting, Effective]:
        """What holds for a number, by setting."""
        campaign = self._campaign(number)
        return {setting: effective(number, campaign, setting) for setting in SETTINGS}

    async def put(self, number_id: str, setting: Setting, value: Any, expected: int | None) -> Number:
        """Gives the number its own value, whole, and unlocks the setting; raises Invalid for no routes."""
        _not_empty(value)
        return await self._edit(
            number_id, lambda number: with_own(number, setting, value), expected, "change"
        )

    async def unlock(self, number_id: str, setting: Setting, expected: int | None) -> Number:
        """Copies the campaign's value, so that this alone changes nothing; an unlocked one stays."""

        def copied(number: Number) -> Number:
            if is_own(number, setting):
                return number
            campaign = self._campaign(number)
            if campaign is None:
                raise Conflict("this number is in no campaign whose value could be copied; PUT one")
            value = getattr(campaign, setting)
            _not_empty(value)
            return with_own(number, setting, value)

        return await self._edit(number_id, copied, expected, "unlock")

    async def lock(self, number_id: str, setting: Setting, expected: int | None) -> Number:
        """The campaign's value holds again; the number's own is kept, dormant."""
        return await self._edit(number_id, lambda number: locked(number, setting), expected, "lock")

    async def deviations(self, campaign_id: str) -> Sequence[Deviation]:
        """Every unlocked setting of the campaign's first 500 numbers that have any, with what differs."""
        snapshot = self._configuration.current
        campaign = snapshot.campaign(campaign_id)
        if campaign is None:
            raise NotFound("there is no such campaign")
        with translated("number"):
            ids = await self._records.with_own_settings(campaign_id, MAX_NUMBERS)
        numbers = [number for each in ids if (number := snapshot.number_by_id(each)) is not None]
        return [
            Deviation(number.id, number.e164, setting, _differences(campaign, number, setting))
            for number in numbers
            for setting in SETTINGS
            if is_own(number, setting)
        ]

    async def _edit(self, number_id: str, edit: Any, expected: int | None, action: str) -> Number:
        made = await self._configuration.amend("number", number_id, edit, expected, action)
        assert isinstance(made, Number)
        return made

    def _campaign(self, number: Number) -> Campaign | None:
        if number.campaign_id is None:
            return None
        return self._configuration.current.campaign(number.campaign_id)


def _not_empty(value: Any) -> None:
    if isinstance(value, Routes) and not value.targets and value.menu is None:
        raise Invalid([FieldError("targets", "a number's own routes may not be empty; name a target")])


def _differences(campaign: Campaign, number: Number, setting: Setting) -> tuple[Difference, ...]:
    theirs = {setting: campaign.model_dump(mode="json")[setting]}
    ours = {setting: number.settings.model_dump(mode="json")[setting]["value"]}
    found = []
    for difference in differences(theirs, ours):
        found.append(difference)
        if len(found) == MAX_DIFFERENCES:
            break
    return tuple(found)
