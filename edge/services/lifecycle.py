"""The states of a number and the steps between them, without storing anything (Rule: release).

``active | paused | available`` -> ``cooling`` -> ``available`` (kept at the carrier, once cooled) or
``retired`` (cancelled there); a cooling number can be restored to what it was.
"""

from datetime import datetime, timedelta
from typing import Any

from edge.model.config import NOTHING_OWN, Number
from edge.model.release import Carrier, Release
from edge.services.errors import Conflict

# What a number forgets when it is stock again or gone.
_FORGOTTEN: dict[str, Any] = {
    "campaign_id": None, "publisher_id": None, "tags": {}, "sub_id": None, "hours": None, "caps": (),
    "timezone": None, "active_from": None, "active_until": None, "settings": NOTHING_OWN, "external_id": None,
    "pool_id": None, "withdrawn": None,
}  # fmt: skip


def released(number: Number, now: datetime, cooling_days: int, carrier: Carrier | None) -> Number:
    """The number out of service; one that is released already stays as it is."""
    if number.release is not None:
        return number
    assert number.state in ("available", "active", "paused")
    release = Release(
        released_at=now,
        cools_until=now + timedelta(days=cooling_days),
        state=number.state,
        campaign_id=number.campaign_id,
        publisher_id=number.publisher_id,
        pool_id=number.pool_id,
    )
    nobody = {"campaign_id": None, "publisher_id": None, "pool_id": None, "withdrawn": None}
    out = {"state": "cooling", "release": release, **nobody}
    cooling = number.model_copy(update=out)
    return cooling if carrier is None else settled(marked(cooling, carrier), now)


def marked(number: Number, carrier: Carrier) -> Number:
    """What was done at the carrier; raises Conflict unless the number is cooling."""
    if number.state != "cooling" or number.release is None:
        raise Conflict(f"{number.e164} is {number.state}; only a cooling number is marked")
    release = number.release.model_copy(update={"carrier": carrier})
    return number.model_copy(update={"release": release})


def restored(number: Number) -> Number:
    """Everything as before the release; raises Conflict unless the number is cooling."""
    if number.state != "cooling" or number.release is None:
        raise Conflict(f"{number.e164} is {number.state}; only a cooling number can be restored")
    was = number.release
    whose = {"campaign_id": was.campaign_id, "publisher_id": was.publisher_id, "pool_id": was.pool_id}
    back = {"state": was.state, **whose}
    return number.model_copy(update={**back, "release": None})


def settled(number: Number, now: datetime) -> Number:
    """The number as its stamps say it is at ``now``: a cancelled one is gone at once, a kept one
    stock when it has cooled; one that nobody marked cools on, for it is still billed."""
    release = number.release
    if number.state != "cooling" or release is None or release.carrier is None:
        return number
    if release.carrier == "cancelled":
        gone = release.model_copy(update={"campaign_id": None, "publisher_id": None, "pool_id": None})
        return number.model_copy(update={**_FORGOTTEN, "state": "retired", "release": gone})
    if not release.over(now):
        return number
    return number.model_copy(update={**_FORGOTTEN, "state": "available", "release": None})
