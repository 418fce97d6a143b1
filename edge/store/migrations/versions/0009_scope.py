"""Tokens of publishers and buyers, and whose calls a buyer's are."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds the columns; calls that are there learn their buyer from their record."""
    op.add_column("tokens", sa.Column("publisher_id", sa.Text(), nullable=True))
    op.add_column("tokens", sa.Column("buyer_id", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("buyer_id", sa.Text(), nullable=True))
    op.execute("UPDATE calls SET buyer_id = json_extract(record, '$.buyer_id')")
    op.create_index(
        "ix_calls_buyer_id",
        "calls",
        ["buyer_id", "started_at"],
        sqlite_where=sa.text("buyer_id IS NOT NULL"),
    )
