"""Number pools: their tags, visits and leases; which visit a call belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the tables and columns."""
    for name in ("open_calls", "calls"):
        op.add_column(name, sa.Column("pool_id", sa.Text(), nullable=True))
        op.add_column(name, sa.Column("impression_id", sa.Text(), nullable=True))
    op.create_index("ix_calls_pool_id", "calls", ["pool_id", "started_at"])
    op.add_column("numbers", sa.Column("pool_id", sa.Text(), nullable=True))
    op.create_index(op.f("ix_numbers_pool_id"), "numbers", ["pool_id"])
    _objects("pools", sa.Column("kind", sa.Text()), sa.Column("country", sa.Text()))
    _objects(
        "call_tracking_tags",
        sa.Column("campaign_id", sa.Text()),
        sa.Column("pool_id", sa.Text()),
        sa.Column("primary_number_id", sa.Text()),
    )
    _impressions()
    _leases()


def _objects(name: str, *more: sa.Column[str]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        *more,
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("external_id", name=op.f(f"uq_{name}_external_id")),
    )
    op.create_index(op.f(f"ix_{name}_name"), name, ["name"])
    op.create_index(f"ix_{name}_created_at", name, ["created_at", "id"])


def _impressions() -> None:
    op.create_table(
        "impressions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("tag_id", sa.Text(), nullable=False),
        sa.Column("publisher_id", sa.Text(), nullable=True),
        sa.Column("primary_number_id", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Text(), nullable=False),
        sa.Column("number_id", sa.Text(), nullable=True),
        sa.Column("e164", sa.Text(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("last_activity_at", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("call_ended_at", sa.Text(), nullable=True),
        sa.Column("superseded_at", sa.Text(), nullable=True),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("page_views", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_view", sa.Text(), nullable=False),
        sa.Column("last_view", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impressions")),
    )
    op.create_index("ix_impressions_created_at", "impressions", ["created_at", "id"])
    op.create_index("ix_impressions_number_id", "impressions", ["number_id", "created_at"])
    op.create_index("ix_impressions_visitor_id", "impressions", ["visitor_id", "tag_id"])
    op.create_index("ix_impressions_pool_id", "impressions", ["pool_id", "created_at"])


def _leases() -> None:
    op.create_table(
        "pool_leases",
        sa.Column("number_id", sa.Text(), nullable=False),
        sa.Column("impression_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number_id", name=op.f("pk_pool_leases")),
        sa.UniqueConstraint("impression_id", name=op.f("uq_pool_leases_impression_id")),
    )
    op.create_table(
        "pool_counts",
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("pool_id", "hour", "event", name=op.f("pk_pool_counts")),
    )
    op.create_table(
        "duplicate_snippets",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.Column("last_seen", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "page", name=op.f("pk_duplicate_snippets")),
    )
    op.create_table(
        "enrichments",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "caller", name=op.f("pk_enrichments")),
    )
