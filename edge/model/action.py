"""What happens to a call that does not reach the targets."""

from typing import Literal, Self

from pydantic import model_validator

from edge.model.base import Record
from edge.model.types import Reference


class Action(Record):
    """What happens to a call that does not reach the targets (after hours, over a cap, ...).

    ``message`` answers, plays ``prompt_id`` (or the built-in one) and hangs up;
    ``voicemail`` does the same and then records what the caller says; ``forward`` goes on with one
    of ``target_id``, ``number_id`` and ``campaign_id``; ``reject`` refuses before the answer.
    """

    action: Literal["message", "voicemail", "forward", "reject"]
    prompt_id: Reference | None = None
    target_id: Reference | None = None
    number_id: Reference | None = None
    campaign_id: Reference | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        named = [self.target_id, self.number_id, self.campaign_id].count(None)
        if named != (2 if self.action == "forward" else 3):
            raise ValueError(
                "the action 'forward', and no other, has one of target_id, number_id, campaign_id"
            )
        if self.prompt_id is not None and self.action not in ("message", "voicemail"):
            raise ValueError("prompt_id belongs to the actions 'message' and 'voicemail' only")
        return self
