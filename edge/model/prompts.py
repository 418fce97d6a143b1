"""Which prompts the calls of a campaign, and its targets, are played."""

from typing import Self

from pydantic import model_validator

from edge.model.base import Record
from edge.model.menu import Key
from edge.model.types import Reference


class CampaignPrompts(Record):
    """What callers hear: ``greeting_prompt_id`` before the targets are dialled, ``consent_prompt_id``
    before a call that is recorded, ``ringback_prompt_id`` over and over in place of a ringing tone,
    ``hold_prompt_id`` over and over while the target has them on hold, ``voicemail_prompt_id`` before they
    may leave a message."""

    greeting_prompt_id: Reference | None = None
    consent_prompt_id: Reference | None = None
    hold_prompt_id: Reference | None = None
    ringback_prompt_id: Reference | None = None
    voicemail_prompt_id: Reference | None = None


class Whispered(Record):
    """What a target hears before the bridge.

    ``whisper_prompt_id`` is heard by whoever answers there; with an ``accept_key`` the call goes on to
    the next target unless that key is pressed (Rule: whisper).
    """

    whisper_prompt_id: Reference | None = None
    accept_key: Key | None = None

    @model_validator(mode="after")
    def _names_its_key(self) -> Self:
        if self.accept_key not in (None, "1") and self.whisper_prompt_id is None:
            raise ValueError("an accept_key other than 1 needs a whisper_prompt_id that names the key")
        return self
