"""What was told of each window of a cap: that it is nearly used up, or used up."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("counters", sa.Column("told", sa.Integer, nullable=False, server_default="0"))
