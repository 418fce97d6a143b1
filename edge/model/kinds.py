"""Every kind of object that operators configure: its name, what may be written of it, what is stored."""

from typing import Literal

from edge.model.block import Block, BlockSpec
from edge.model.buyer import Buyer, BuyerSpec, Group, GroupSpec
from edge.model.calendars import HolidayCalendar, HolidayCalendarSpec
from edge.model.callers import CallerList, CallerListSpec
from edge.model.config import (
    Campaign,
    CampaignSpec,
    Number,
    NumberSpec,
    Prompt,
    Target,
    TargetSpec,
    Trunk,
    TrunkSpec,
)
from edge.model.pool import CallTrackingTag, Pool, PoolSpec, TagSpec
from edge.model.publishers import Publisher, PublisherSpec

Kind = Literal[
    "trunk", "number", "campaign", "target", "buyer", "group", "prompt", "publisher", "block", "pool",
    "call_tracking_tag", "calendar", "caller_list",
]  # fmt: skip
Spec = (
    TrunkSpec | NumberSpec | CampaignSpec | TargetSpec | BuyerSpec | GroupSpec | PublisherSpec | BlockSpec
    | PoolSpec | TagSpec | HolidayCalendarSpec | CallerListSpec
)  # fmt: skip
Object = (
    Trunk | Number | Campaign | Target | Buyer | Group | Prompt | Publisher | Block | Pool | CallTrackingTag
    | HolidayCalendar | CallerList
)  # fmt: skip
