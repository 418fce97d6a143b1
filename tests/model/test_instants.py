"""Texts of instants."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from edge.model.instants import from_text, to_text

LAST = datetime.max.replace(tzinfo=UTC)
FIRST = datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 22, 9, 0, 1, 524_999, UTC),
        datetime(2026, 11, 22, 9, 0, 1, 999_999, UTC),
        datetime(2026, 11, 22, 0, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(1969, 12, 31, 23, 59, 59, 1_000, UTC),
        FIRST,
        LAST,
    ],
)
def test_an_instant_is_written_in_utc_to_the_millisecond_before(at: datetime) -> None:
    text = to_text(at)
    assert text == at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert timedelta(0) <= at - from_text(text) < timedelta(milliseconds=1)
