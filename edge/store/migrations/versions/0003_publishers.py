"""Publishers, and what numbers and calls know of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table and the columns."""
    op.create_table(
        "publishers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publishers")),
        sa.UniqueConstraint("external_id", name=op.f("uq_publishers_external_id")),
    )
    op.create_index(op.f("ix_publishers_name"), "publishers", ["name"])
    op.create_index("ix_publishers_created_at", "publishers", ["created_at", "id"])
    for name in ("publisher_id", "sub_id", "region", "area_code"):
        op.add_column("numbers", sa.Column(name, sa.Text(), nullable=True))
    op.create_index(op.f("ix_numbers_publisher_id"), "numbers", ["publisher_id"])
    op.create_index(op.f("ix_numbers_sub_id"), "numbers", ["sub_id"])
    for table in ("open_calls", "calls"):
        for name in ("publisher_id", "sub_id"):
            op.add_column(table, sa.Column(name, sa.Text(), nullable=True))
    op.create_index("ix_calls_publisher_id", "calls", ["publisher_id", "started_at"])
