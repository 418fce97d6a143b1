"""Whose rows a query may see at all: asked for with every scoped query, in SQL."""

from collections.abc import Mapping
from types import MappingProxyType

Within = Mapping[str, str]
"""Fields that every row must have, such as ``{"publisher_id": "pub_1"}``; empty: all rows."""
EVERYWHERE: Within = MappingProxyType({})
