"""Instants as the tables keep them: RFC 3339, UTC, milliseconds, ``2026-11-22T09:00:00.000Z``."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_text(at: datetime) -> str:
    """The instant's text; 24 characters, so that texts sort as instants do."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def from_text(text: str) -> datetime:
    """Back again, in UTC."""
    return datetime.fromisoformat(text)


def ms_of(at: datetime) -> int:
    """Whole milliseconds since the epoch."""
    return (at - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """Back again, in UTC."""
    return _EPOCH + ms * _MS


def text_of_ms(ms: int) -> str:
    """The text of an instant that is given in milliseconds since the epoch."""
    return to_text(from_ms(ms))
