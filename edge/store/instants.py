"""Instants as the tables keep them: RFC 3339, UTC, milliseconds, ``2026-11-22T09:00:00.000Z``."""

from datetime import UTC, datetime


def to_text(at: datetime) -> str:
    """The instant's text; 24 characters, so that texts sort as instants do."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def from_text(text: str) -> datetime:
    """Back again, in UTC."""
    return datetime.fromisoformat(text)
