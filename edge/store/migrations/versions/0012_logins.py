"""The addresses from which trunks have logged in, and bans for what may have been forged."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Adds the table and the column."""
    op.create_table(
        "logins",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("trunk_id", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
    )
    op.add_column("bans", sa.Column("datagrams_only", sa.Boolean, nullable=False, server_default=sa.false()))
