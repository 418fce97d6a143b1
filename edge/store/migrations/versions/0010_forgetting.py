"""The secrets that edits took away, ready to be found once they are too old."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds the index."""
    op.create_index("ix_audit_secrets", "audit", ["at", "id"], sqlite_where=sa.text("secrets IS NOT NULL"))
