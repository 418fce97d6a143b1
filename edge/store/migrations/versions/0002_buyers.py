"""Buyers and groups of targets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _objects("buyers")
    _objects("target_groups")


def _objects(name: str) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("external_id", name=op.f(f"uq_{name}_external_id")),
    )
    op.create_index(f"ix_{name}_created_at", name, ["created_at", "id"], unique=False)
    op.create_index(op.f(f"ix_{name}_name"), name, ["name"], unique=False)
