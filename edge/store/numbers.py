"""What the tables know of numbers beyond the numbers themselves."""

import sqlalchemy as sa

from edge.store.engine import Database
from edge.store.tables import calls, numbers


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
        wanted = [numbers.c.state == "available", numbers.c.kind == kind, numbers.c.country == country]
        if area_code is not None:
            wanted.append(numbers.c.area_code == area_code)
        query = (
            sa.select(numbers.c.id, numbers.c.version)
            .where(*wanted)
            .order_by(last.asc().nulls_first(), numbers.c.created_at, numbers.c.id)
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
