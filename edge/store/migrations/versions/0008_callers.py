"""Caller lists, and holiday calendars."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the tables."""
    for name in ("caller_lists", "holiday_calendars"):
        op.create_table(
            name,
            sa.Column("id", sa.Text(), nullable=False),
            sa.Column("external_id", sa.Text(), nullable=True),
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("created_at", sa.Text(), nullable=False),
            sa.Column("updated_at", sa.Text(), nullable=False),
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("body", sa.JSON(), nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
            sa.UniqueConstraint("external_id", name=op.f(f"uq_{name}_external_id")),
        )
        op.create_index(op.f(f"ix_{name}_name"), name, ["name"])
        op.create_index(f"ix_{name}_created_at", name, ["created_at", "id"])
    op.create_table(
        "caller_list_numbers",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "list_id", name=op.f("pk_caller_list_numbers")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_caller_list_numbers_list_id", "caller_list_numbers", ["list_id", "caller"])
