"""What the tokens of publishers and buyers are answered: these routes, in their own words, and no others.

A route that is not here is 404 for them, so a new one is closed until somebody opens it.  What is
shown is listed field by field: a new field of a record is hidden until somebody shows it.
"""

from collections.abc import Iterator, Mapping

from edge.admin.resources.scoped_buyer import BUYER
from edge.admin.resources.scoped_publisher import PUBLISHER
from edge.admin.routes import Route
from edge.model.config import Role

Name = tuple[Role, str, str]


def _named() -> Iterator[tuple[Name, Route]]:
    for route in PUBLISHER:
        yield ("publisher", route.method, route.path), route
    for route in BUYER:
        yield ("buyer", route.method, route.path), route


SCOPED_ROUTES: Mapping[Name, Route] = dict(_named())
"""The route that stands for another where this role asks, by role, method and path."""
