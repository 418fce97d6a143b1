"""A campaign whose tag gives out the numbers of a pool, made over the API."""

from dataclasses import dataclass
from typing import Any

from tests.admin.client import Answer, Client

PRIMARY = "+18005550100"


@dataclass
class Pooled:
    """What was made, and a browser that asks for numbers."""

    api: Client
    campaign: Any
    primary: Any
    pool: Any
    numbers: list[Any]
    tag: Any

    async def visit(self, visitor: str = "visitor-1", **more: Any) -> Answer:
        """A page view of a visitor; ``headers`` are the browser's, the rest is sent."""
        headers = more.pop("headers", {})
        body = {"visitor_id": visitor, **more}
        path = f"/t/{self.campaign['id']}/numbers"
        return await self.api.ask("POST", path, token="", json=body, headers=headers)

    async def shown(self, visitor: str = "visitor-1", **more: Any) -> Any:
        """What the page shows for the one tag."""
        answer = await self.visit(visitor, **more)
        assert answer.status == 200, answer.body
        return answer.json["tags"][0]

    async def beat(
        self, shown: Any, visitor: str = "visitor-1", what: str = "activity", **more: Any
    ) -> Answer:
        """A sign of life, or the end, of what was shown."""
        body = {"visitor_id": visitor, "generation": shown["generation"], **more}
        path = f"/t/impressions/{shown['impression_id']}/{what}"
        return await self.api.ask("POST", path, token="", json=body)


async def pooled(api: Client, size: int = 2, **pool: Any) -> Pooled:
    """A campaign with a primary number, a pool of so many numbers and the tag between them."""
    campaign = await api.new("campaigns", name="Spring")
    primary = await api.new("numbers", e164=PRIMARY, campaign_id=campaign["id"])
    made = await api.new("pools", name="Visitors", **pool)
    digits = [f"+1800555{n:04d}" for n in range(200, 200 + size)]
    numbers = [await api.new("numbers", e164=each, pool_id=made["id"]) for each in digits]
    fields = {"primary_number_id": primary["id"], "number_to_replace": PRIMARY, "pool_id": made["id"]}
    tag = await api.new(
        "call-tracking-tags", name="Header", campaign_id=campaign["id"], capture_user_data=True, **fields
    )
    return Pooled(api, campaign, primary, made, numbers, tag)
