"""What was used of outbound trunks, by day: it was that of one day only."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Makes the one day the first of several."""
    op.execute(
        """UPDATE meta SET value = json_object('day', json_extract(value, '$.day'),
        'days', json_object(json_extract(value, '$.day'), json_extract(value, '$.seconds')))
        WHERE key = 'trunk_seconds'"""
    )
