"""Opening the embedded database file: the pragmas that make a commit durable, and one server a file."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

# An edit of the configuration may hold the lock for some milliseconds; longer than this is a fault.
BUSY_S = 2.0


class StoreInUse(Exception):
    """Another server has this database open."""


def connect(path: Path) -> sqlite3.Connection:
    """The call path's own connection: WAL, every commit synced, transactions by hand.

    Raises ``sqlite3.Error``.
    """
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        # A checkpoint syncs twice and stalls the commits behind it: rarer, not smaller.
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute("PRAGMA cache_size = -16000")
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextlib.contextmanager
def only_server(path: Path) -> Iterator[None]:
    """Holds the lock beside the database file for the block; raises StoreInUse."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            remedy = "stop that server, or give this one a data_dir of its own"
            raise StoreInUse(f"another server has {path} open; {remedy}") from None
        yield
    finally:
        os.close(descriptor)
