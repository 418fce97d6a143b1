"""One file a resource; ``ROUTES`` is the list of them all."""

from edge.admin.resources.audit import AUDIT
from edge.admin.resources.blocks import BLOCK_FILES
from edge.admin.resources.calendars import CALENDAR_PARTS, HOUR_PRESETS
from edge.admin.resources.callers import CALLER_LISTS
from edge.admin.resources.calls import CALLS
from edge.admin.resources.configuration import (
    BLOCKS,
    BUYERS,
    CAMPAIGNS,
    HOLIDAY_CALENDARS,
    POOLS,
    PUBLISHERS,
    TAGS,
    TARGET_GROUPS,
    TARGETS,
    TRUNKS,
)
from edge.admin.resources.inheritance import DEVIATIONS, SETTINGS
from edge.admin.resources.numbers import NUMBERS
from edge.admin.resources.pools import DUPLICATES, IMPRESSIONS, POOL_PARTS
from edge.admin.resources.presets import TRUNK_PRESETS
from edge.admin.resources.prompts import PROMPTS
from edge.admin.resources.releases import RELEASES
from edge.admin.resources.rules import CAPS, HOURS
from edge.admin.resources.server import DRAIN, REFUSED
from edge.admin.resources.setup import SETUP
from edge.admin.resources.simulate import SIMULATE
from edge.admin.resources.tokens import TOKENS
from edge.admin.routes import Route

ROUTES: tuple[Route, ...] = (
    *TRUNKS,
    *TRUNK_PRESETS,
    *NUMBERS,
    *RELEASES,
    *SETTINGS,
    *DEVIATIONS,
    *CAMPAIGNS,
    *PUBLISHERS,
    *BLOCKS,
    *CALLER_LISTS,
    *HOLIDAY_CALENDARS,
    *TARGETS,
    *TARGET_GROUPS,
    *BUYERS,
    *PROMPTS,
    *CALLS,
    *POOLS,
    *POOL_PARTS,
    *TAGS,
    *IMPRESSIONS,
    *DUPLICATES,
    *BLOCK_FILES,
    *CALENDAR_PARTS,
    *HOUR_PRESETS,
    *CAPS,
    *HOURS,
    *SIMULATE,
    *REFUSED,
    *DRAIN,
    *TOKENS,
    *AUDIT,
    *SETUP,
)
