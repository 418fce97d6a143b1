"""The tables.  Instants are RFC 3339 texts in UTC with milliseconds, so they sort as they read.

The call path (``ledger``) writes ``open_calls``, ``calls``, ``counters`` and ``reservations`` by
SQL of its own; everything else goes through these definitions.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _objects(name: str, *more: sa.Column[str]) -> sa.Table:
    """A table of configuration objects: what lists filter by in columns, the whole in ``body``."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("external_id", sa.Text, unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False, index=True),
        *more,
        sa.Column("body", sa.JSON, nullable=False),
        # The order of lists that ask for no other.
        sa.Index(f"ix_{name}_created_at", "created_at", "id"),
    )


trunks = _objects("trunks", sa.Column("state", sa.Text, nullable=False))
numbers = _objects(
    "numbers",
    sa.Column("e164", sa.Text, nullable=False, unique=True),
    sa.Column("campaign_id", sa.Text, index=True),
    sa.Column("kind", sa.Text),
    sa.Column("country", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("publisher_id", sa.Text, index=True),
    sa.Column("sub_id", sa.Text, index=True),
    sa.Column("region", sa.Text),
    sa.Column("area_code", sa.Text),
    sa.Column("pool_id", sa.Text, index=True),
)
blocks = _objects(
    "blocks",
    sa.Column("pattern", sa.Text, nullable=False),
    sa.Column("campaign_id", sa.Text),
)
publishers = _objects("publishers", sa.Column("state", sa.Text, nullable=False))
campaigns = _objects("campaigns", sa.Column("state", sa.Text, nullable=False))
targets = _objects("targets", sa.Column("state", sa.Text, nullable=False))
buyers = _objects("buyers", sa.Column("state", sa.Text, nullable=False))
target_groups = _objects("target_groups", sa.Column("state", sa.Text, nullable=False))
prompts = _objects("prompts")
pools = _objects("pools", sa.Column("kind", sa.Text), sa.Column("country", sa.Text))
holiday_calendars = _objects("holiday_calendars")
caller_lists = _objects("caller_lists")
call_tracking_tags = _objects(
    "call_tracking_tags",
    sa.Column("campaign_id", sa.Text),
    sa.Column("pool_id", sa.Text),
    sa.Column("primary_number_id", sa.Text),
)

# By caller first: a decision asks which lists one caller is on.
caller_list_numbers = sa.Table(
    "caller_list_numbers",
    metadata,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("list_id", sa.Text, primary_key=True),
    sa.Index("ix_caller_list_numbers_list_id", "list_id", "caller"),
    sqlite_with_rowid=False,
)

# Who refers to whom, kept in the transaction of each edit: what is referred to can not be deleted.
object_references = sa.Table(
    "object_references",
    metadata,
    sa.Column("from_kind", sa.Text, primary_key=True),
    sa.Column("from_id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("to_kind", sa.Text, nullable=False),
    sa.Column("to_id", sa.Text, nullable=False),
    sa.Index("ix_object_references_to", "to_kind", "to_id"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("last_used_at", sa.Text),
    sa.Column("publisher_id", sa.Text),
    sa.Column("buyer_id", sa.Text),
)

# Small, and emptied when a call ends: the indexes of ``calls`` are written once a call.
open_calls = sa.Table(
    "open_calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("trunk_id", sa.Text, nullable=False),
    sa.Column("caller", sa.Text),
    sa.Column("called", sa.Text, nullable=False),
    sa.Column("number_id", sa.Text),
    sa.Column("campaign_id", sa.Text),
    sa.Column("connected_at", sa.Text),
    sa.Column("target_id", sa.Text),
    sa.Column("publisher_id", sa.Text),
    sa.Column("sub_id", sa.Text),
    sa.Column("pool_id", sa.Text),
    sa.Column("impression_id", sa.Text),
    sqlite_with_rowid=False,
)


def _owners_calls(owner: str) -> sa.Index:
    return sa.Index(f"ix_calls_{owner}", owner, "started_at", sqlite_where=sa.text(f"{owner} IS NOT NULL"))


calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text, nullable=False),
    sa.Column("trunk_id", sa.Text),
    sa.Column("caller", sa.Text),
    sa.Column("called", sa.Text),
    sa.Column("number_id", sa.Text),
    sa.Column("campaign_id", sa.Text),
    sa.Column("target_id", sa.Text),
    sa.Column("disposition", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("trace", sa.Text),
    sa.Column("publisher_id", sa.Text),
    sa.Column("sub_id", sa.Text),
    sa.Column("pool_id", sa.Text),
    sa.Column("impression_id", sa.Text),
    sa.Column("buyer_id", sa.Text),
    # Calls of nobody's target, pool and publisher, which may be all, cost these nothing.
    _owners_calls("buyer_id"),
    _owners_calls("pool_id"),
    _owners_calls("publisher_id"),
    sa.Index("ix_calls_started_at", "started_at", "id"),
    sa.Index("ix_calls_number_id", "number_id", "started_at"),
    sa.Index("ix_calls_campaign_id", "campaign_id", "started_at"),
    # With the number: each record asks whether its caller has called it before.
    sa.Index("ix_calls_caller", "caller", "started_at", "number_id"),
    sa.Index("ix_calls_called", "called", "started_at"),
    sa.Index("ix_calls_disposition", "disposition", "started_at"),
)

# What is used up of each window; what is reserved on top is in ``reservations``.  ``told``: that it is nearly
# used up (1), or used up (2).
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("cap_id", sa.Text, primary_key=True),
    sa.Column("window_key", sa.Text, primary_key=True),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("told", sa.Integer, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# ``state``: reserved, watched, awaiting or used (``edge.store.slots``), cleared by a reset; a released
# slot leaves.  ``cap_limit`` and ``warning`` are those of the claim.  Who holds what since when.
reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("cap_id", sa.Text, primary_key=True),
    sa.Column("window_key", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("counts_on", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("cap_limit", sa.Integer, nullable=False, server_default="0"),
    sa.Column("warning", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_reservations_cap_id", "cap_id", "since"),
    sqlite_with_rowid=False,
)

# What was used when a cap was set to zero by hand, and by whom.
cap_resets = sa.Table(
    "cap_resets",
    metadata,
    sa.Column("cap_id", sa.Text, primary_key=True),
    sa.Column("window_key", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, primary_key=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
)

# Who changed what, without secrets; ``version`` is the set-up's after the edit, null for what is no part
# of it.  ``secrets`` (by path) are those that the edit took away: only a restore reads them.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("before", sa.JSON(none_as_null=True)),
    sa.Column("after", sa.JSON(none_as_null=True)),
    sa.Column("secrets", sa.JSON(none_as_null=True)),
    sa.Index("ix_audit_at", "at", "id"),
    sa.Index("ix_audit_object_id", "object_id", "at", "id"),
    sa.Index("ix_audit_by", "by", "at", "id"),
    sa.Index("ix_audit_version", "version", "id"),
    sa.Index("ix_audit_secrets", "at", "id", sqlite_where=sa.text("secrets IS NOT NULL")),
)

# Visits.  ``number_id`` null: there was no number (a miss); ``missed`` stays 1 where one came later.
# ``first_view``, ``last_view`` and ``data`` are JSON (``edge.store.leases``).
impressions = sa.Table(
    "impressions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("pool_id", sa.Text, nullable=False),
    sa.Column("campaign_id", sa.Text, nullable=False),
    sa.Column("tag_id", sa.Text, nullable=False),
    sa.Column("publisher_id", sa.Text),
    sa.Column("primary_number_id", sa.Text, nullable=False),
    sa.Column("visitor_id", sa.Text, nullable=False),
    sa.Column("number_id", sa.Text),
    sa.Column("e164", sa.Text),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("last_activity_at", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Text),
    sa.Column("closed_at", sa.Text),
    sa.Column("call_ended_at", sa.Text),
    sa.Column("superseded_at", sa.Text),
    sa.Column("missed", sa.Integer, nullable=False),
    sa.Column("page_views", sa.Integer, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_view", sa.Text, nullable=False),
    sa.Column("last_view", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Index("ix_impressions_created_at", "created_at", "id"),
    sa.Index("ix_impressions_number_id", "number_id", "created_at"),
    sa.Index("ix_impressions_visitor_id", "visitor_id", "tag_id"),
    sa.Index("ix_impressions_pool_id", "pool_id", "created_at"),
)

# The newest visit of each number: its stamps are the impression's.
pool_leases = sa.Table(
    "pool_leases",
    metadata,
    sa.Column("number_id", sa.Text, primary_key=True),
    sa.Column("impression_id", sa.Text, nullable=False, unique=True),
    sa.Column("generation", sa.Integer, nullable=False),
)

# How often what happened to a pool in an hour, and the ``peak`` of numbers held.
pool_counts = sa.Table(
    "pool_counts",
    metadata,
    sa.Column("pool_id", sa.Text, primary_key=True),
    sa.Column("hour", sa.Text, primary_key=True),
    sa.Column("event", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)

# Pages that load more than one snippet.
duplicate_snippets = sa.Table(
    "duplicate_snippets",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("page", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("first_seen", sa.Text, nullable=False),
    sa.Column("last_seen", sa.Text, nullable=False),
)

# What publishers said of callers before their call.
enrichments = sa.Table(
    "enrichments",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("posted_at", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)

refused_calls = sa.Table(
    "refused_calls",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("called", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("remedy", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("first_seen", sa.Text, nullable=False),
    sa.Column("last_seen", sa.Text, nullable=False),
)

bans = sa.Table(
    "bans",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("dropped", sa.Integer, nullable=False),
    sa.Column("datagrams_only", sa.Boolean, nullable=False, server_default=sa.false()),
)

logins = sa.Table(
    "logins",
    metadata,
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("trunk_id", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
