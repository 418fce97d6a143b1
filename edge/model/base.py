"""What every record shares: frozen, unknown fields refused."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record whose unknown fields are refused (422 at the API)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True, serialize_by_alias=True
    )


class Stored(Record):
    """What the server adds to a stored object.

    ``id`` is prefixed and sortable (``edge.ids``); ``version`` starts at 1 and grows by one with
    every edit (it is the ETag); instants are UTC.
    """

    id: str
    created_at: datetime
    updated_at: datetime
    version: int
