"""What the tables know of numbers beyond the numbers themselves."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from edge.store.engine import Database
from edge.store.tables import calls, numbers
from edge.store.tables import object_references as links

_STAMPS = ("carrier", "cools_until")


class CallTally(NamedTuple):
    """The calls of a number: the instant of the last one, and how many since some instant."""

    last_call_at: str | None
    calls: int


class NumberRecords:
    """Looks into the numbers and their calls.  May raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def longest_unused(self, kind: str, country: str, area_code: str | None) -> tuple[str, int] | None:
        """The id and version of the available number whose last call lies furthest back.

        Never called comes first, the oldest of them at the head.
        """
        last = (
            sa.select(sa.func.max(calls.c.started_at))
            .where(calls.c.number_id == numbers.c.id)
            .scalar_subquery()
        )
        # What may still be owed to a visitor of its old pool comes last.
        left = sa.func.json_extract(numbers.c.body, "$.withdrawn.until")
        wanted = [numbers.c.state == "available", numbers.c.kind == kind, numbers.c.country == country]
        if area_code is not None:
            wanted.append(numbers.c.area_code == area_code)
        query = (
            sa.select(numbers.c.id, numbers.c.version)
            .where(*wanted)
            .order_by(left.is_not(None), last.asc().nulls_first(), numbers.c.created_at, numbers.c.id)
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else (row.id, row.version)

    async def with_own_settings(self, campaign_id: str, limit: int) -> list[str]:
        """The ids of a campaign's numbers that have settings of their own, dormant ones included."""
        own = sa.func.json_extract(numbers.c.body, "$.settings").is_not(None)
        query = sa.select(numbers.c.id).where(numbers.c.campaign_id == campaign_id, own)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.order_by(numbers.c.e164).limit(limit))
        return list(rows.scalars())

    async def owned_by(self, publisher_id: str) -> dict[str | None, int]:
        """How many numbers a publisher has, by campaign."""
        query = sa.select(numbers.c.campaign_id, sa.func.count()).group_by(numbers.c.campaign_id)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.where(numbers.c.publisher_id == publisher_id))
        return {row[0]: int(row[1]) for row in rows}

    async def users(self, number_id: str) -> list[str]:
        """Who names this number, in words, twenty at most."""
        query = sa.select(links.c.from_kind, links.c.from_id, links.c.path)
        query = query.where(links.c.to_kind == "number", links.c.to_id == number_id).limit(20)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [f"{row.from_kind} {row.from_id} ({row.path})" for row in rows]

    async def cooled(self, now: str) -> list[str]:
        """The ids of the numbers that are kept at the carrier and have cooled by ``now``, 500 at most."""
        release = {name: sa.func.json_extract(numbers.c.body, f"$.release.{name}") for name in _STAMPS}
        query = sa.select(numbers.c.id).where(
            numbers.c.state == "cooling", release["carrier"] == "kept", release["cools_until"] <= now
        )
        async with self._database.reading() as connection:
            return list((await connection.execute(query.limit(500))).scalars())

    async def still_dialled(self, since: str, limit: int) -> list[tuple[str, CallTally]]:
        """Numbers out of service that were called since an instant, the most called first."""
        refused = calls.c.disposition.in_(("rejected_released", "rejected_unknown_number"))
        count, last = sa.func.count(), sa.func.max(calls.c.started_at)
        query = (
            sa.select(calls.c.number_id, last, count)
            .where(refused, calls.c.number_id.is_not(None), calls.c.started_at >= since)
            .group_by(calls.c.number_id)
            .order_by(count.desc(), last.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [(row[0], CallTally(row[1], int(row[2]))) for row in rows]

    async def tallies(self, since: Mapping[str, str]) -> dict[str, CallTally]:
        """Each number's last call, and how many calls it has had since the instant given for it."""
        found = {}
        async with self._database.reading() as connection:
            for number_id, start in since.items():
                later = sa.case((calls.c.started_at >= start, 1), else_=0)
                query = sa.select(sa.func.max(calls.c.started_at), sa.func.coalesce(sa.func.sum(later), 0))
                row = (await connection.execute(query.where(calls.c.number_id == number_id))).one()
                found[number_id] = CallTally(row[0], int(row[1]))
        return found
