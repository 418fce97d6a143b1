"""The four settings of a number: its own value, unlocked and locked, and who deviates from its campaign."""

from typing import Any

from pydantic import BaseModel, RootModel

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import one
from edge.admin.resources.lists import add_list
from edge.admin.resources.numbers import NumberRead, with_effective
from edge.admin.routes import Exchange, Reply, Routes
from edge.model import outcomes
from edge.model.config import Routes as CallRoutes
from edge.model.inherited import Setting
from edge.model.prompts import CampaignPrompts

SETTINGS = Routes("numbers")
DEVIATIONS = Routes("campaigns")


class Conversions(RootModel[outcomes.Conversions]):
    """A number's own conversions; an empty list means none."""


class Webhooks(RootModel[outcomes.Webhooks]):
    """A number's own webhooks; an empty list means none."""


class DifferenceRead(BaseModel):
    """A place where the number's own value is another than the campaign's; null: it is not there."""

    path: str
    campaign: Any
    own: Any


class DeviationRead(BaseModel):
    """A setting that a number has of its own."""

    number_id: str
    e164: str
    setting: str
    differences: list[DifferenceRead]


def _setting(name: Setting, body: type[BaseModel]) -> None:
    path = f"/numbers/{{id}}/settings/{name}"

    @SETTINGS.add("PUT", path, f"Set a number's own {name}", body=body, body_kind="json", answer=NumberRead)
    async def put(ports: Ports, exchange: Exchange) -> Reply:
        value = exchange.body.root if isinstance(exchange.body, RootModel) else exchange.body
        version = expected_version(exchange)
        made = await ports.inheritance.put(exchange.parameters["id"], name, value, version)
        return one(with_effective(ports, made))

    @SETTINGS.add(
        "POST", f"{path}/unlock", f"Copy the campaign's {name} as its own", answer=NumberRead, if_match=True
    )
    async def unlock(ports: Ports, exchange: Exchange) -> Reply:
        made = await ports.inheritance.unlock(exchange.parameters["id"], name, expected_version(exchange))
        return one(with_effective(ports, made))

    @SETTINGS.add(
        "POST", f"{path}/lock", f"Inherit the campaign's {name} again", answer=NumberRead, if_match=True
    )
    async def lock(ports: Ports, exchange: Exchange) -> Reply:
        made = await ports.inheritance.lock(exchange.parameters["id"], name, expected_version(exchange))
        return one(with_effective(ports, made))


_setting("routes", CallRoutes)
_setting("prompts", CampaignPrompts)
_setting("conversions", Conversions)
_setting("webhooks", Webhooks)


def _deviation(found: Any) -> DeviationRead:
    return DeviationRead(
        number_id=found.number_id,
        e164=found.e164,
        setting=found.setting,
        differences=[
            DifferenceRead(path=each.path, campaign=each.before, own=each.after) for each in found.differences
        ],
    )


add_list(
    DEVIATIONS,
    "/campaigns/{id}/deviations",
    "List the numbers with settings of their own",
    DeviationRead,
    lambda ports, campaign_id: ports.inheritance.deviations(campaign_id),
    _deviation,
)
