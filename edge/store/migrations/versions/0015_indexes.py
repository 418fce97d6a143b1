"""An index that says whether a caller has called a number before; those of pools and publishers without the
calls that have none."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Makes the three indexes anew."""
    op.drop_index("ix_calls_caller", "calls")
    op.create_index("ix_calls_caller", "calls", ["caller", "started_at", "number_id"])
    for owner in ("pool_id", "publisher_id"):
        op.drop_index(f"ix_calls_{owner}", "calls")
        op.create_index(
            f"ix_calls_{owner}", "calls", [owner, "started_at"], sqlite_where=sa.text(f"{owner} IS NOT NULL")
        )
