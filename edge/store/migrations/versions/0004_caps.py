"""Caps: what a reservation was limited to, its ledger by cap, resets by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("cap_limit", "warning"):
        op.add_column("reservations", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_reservations_cap_id"), "reservations", ["cap_id", "since"], unique=False)
    op.create_table(
        "cap_resets",
        sa.Column("cap_id", sa.Text(), nullable=False),
        sa.Column("window_key", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cap_id", "window_key", "at", name=op.f("pk_cap_resets")),
    )
