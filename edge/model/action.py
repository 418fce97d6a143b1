"""What happens to a call that does not reach the targets."""

from typing import Literal, Self

from pydantic import model_validator

from edge.model.base import Record
from edge.model.types import Reference


class Action(Record):
    """What happens to a call that does not reach the targets (after hours, over a cap, ...).

    ``message`` answers, plays ``prompt_id`` (or the built-in one) and hangs up;
    ``voicemail`` does the same and then records what the caller says; ``forward`` dials
    ``target_id`` instead of the routes; ``reject`` refuses before the answer.
    """

    action: Literal["message", "voicemail", "forward", "reject"]
    prompt_id: Reference | None = None
    target_id: Reference | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.action == "forward") != (self.target_id is not None):
            raise ValueError("target_id belongs to the action 'forward' and to no other")
        if self.prompt_id is not None and self.action not in ("message", "voicemail"):
            raise ValueError("prompt_id belongs to the actions 'message' and 'voicemail' only")
        return self
