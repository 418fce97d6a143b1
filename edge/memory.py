"""What a process keeps: walked by no collection, and on large pages.

Between two calls the processor's caches go cold, and its table of page addresses with them.  A server's
memory after start-up (code objects, configuration, libraries' data) lies on some 20,000 pages of 4 kB;
moved on to pages of 2 MB, a call at 50 calls a second costs about a tenth less (docs/measurements.md).
"""

import contextlib
import ctypes
import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Calls make no reference cycles: they are freed as they end, and what a collection would walk is what
# their transactions keep for 32 s (100,000 objects at 300 calls a second: a stop of 50 ms or more).
# A collection of the young costs 0.7 µs an object and is due when so many more were made than freed: with
# 2,000 it took a thirtieth of a call at 300 a second; with 10,000 it comes only while the load grows, and
# stops the loop for 10 ms at most.  Everything is walked after a million objects more.
_COLLECTION = (10_000, 1, 50)
LARGE = 2 << 20
_COLLAPSE = 25  # MADV_COLLAPSE, since Linux 6.1; another kernel answers EINVAL and nothing changes
_REGION = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(\[heap\])?\n(?:.+\n)*?Rss: +(\d+) kB$", re.M)


def collect_seldom() -> None:
    """To be called once, when what lives as long as the process has been made: it is never walked again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTION)


def use_large_pages() -> int:
    """Moves this process's data on to large pages; answers how many octets of it.

    To be called once, when what lives as long as the process has been made: it blocks for some
    milliseconds.  Does nothing where the system has no such call.
    """
    if not sys.platform.startswith("linux"):
        return 0
    moved = 0
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None, use_errno=True).madvise
        madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        for start, end in _dense_regions(Path("/proc/self/smaps").read_text(encoding="utf-8")):
            if madvise(start, end - start, _COLLAPSE) == 0:
                moved += end - start
    return moved


def _dense_regions(smaps: str) -> Iterator[tuple[int, int]]:
    """Whole large pages of anonymous memory of which most is in use: others would only grow."""
    for begins, ends, _, resident_kb in _REGION.findall(smaps):
        begin, end = int(begins, 16), int(ends, 16)
        start, stop = -(-begin // LARGE) * LARGE, end // LARGE * LARGE
        if stop > start and int(resident_kb) * 1024 * 2 >= end - begin:
            yield start, stop
