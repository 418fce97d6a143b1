"""One file a resource; ``ROUTES`` is the list of them all."""

from edge.admin.resources.configuration import CAMPAIGNS, NUMBERS, TARGETS, TRUNKS
from edge.admin.routes import Route

ROUTES: tuple[Route, ...] = (*TRUNKS, *NUMBERS, *CAMPAIGNS, *TARGETS)
