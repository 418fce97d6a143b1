"""Every object of a snapshot."""

from collections.abc import Iterator

from edge.routing.snapshot import Configured, Snapshot

# The tables that hold no objects, or the same ones again.
_BESIDE = {"numbers_by_e164", "prepared", "cap_owners", "calendars"}


def everything(snapshot: Snapshot) -> Iterator[Configured]:
    """Every object, each once, in no order; costs a walk over all."""
    yield from snapshot.trunk_index.written.values()
    yield from snapshot.blocks.all()
    yield from snapshot.pools.objects()
    for name, table in snapshot.tables().items():
        if name not in _BESIDE:
            yield from table.values()
