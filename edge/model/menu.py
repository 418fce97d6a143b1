"""A menu: what the caller hears, and where each key leads."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.model.action import Action
from edge.model.base import Record
from edge.model.types import Reference, TagKey, TagValue, TagValues

Key = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]


class MenuKey(Record):
    """Where one key leads: to a target, a group, another campaign, or to hearing the menu again; ``tags``
    are written to the call of whoever presses it."""

    target_id: Reference | None = None
    group_id: Reference | None = None
    campaign_id: Reference | None = None
    replay: bool = False
    tags: Annotated[dict[TagKey, TagValue | TagValues], Field(max_length=20)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        named = 3 - [self.target_id, self.group_id, self.campaign_id].count(None)
        if named + self.replay != 1:
            raise ValueError("a key has exactly one of target_id, group_id, campaign_id and replay: true")
        return self


class Menu(Record):
    """Plays ``prompt_id`` and waits for a key (Rule: menus).

    ``repeat`` counts the extra plays; ``timeout_s`` is how long a key is waited for after each.
    ``invalid_prompt_id`` is heard after a key that is not in ``keys``.  ``on_timeout`` is taken when
    no play was answered; without it the call goes on to the route's targets.
    """

    prompt_id: Reference
    repeat: Annotated[int, Field(ge=0, le=20)] = 2
    timeout_s: Annotated[float, Field(ge=0.5, le=60)] = 5
    keys: Annotated[dict[Key, MenuKey], Field(min_length=1)]
    invalid_prompt_id: Reference | None = None
    on_timeout: Action | None = None
