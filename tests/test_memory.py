"""Large pages: the regions that are worth moving, and that moving them harms nothing."""

import subprocess
import sys
from pathlib import Path

from edge.memory import LARGE, _dense_regions

REGION = """{start:x}-{end:x} rw-p 00000000 00:00 0 {name}
Size:           {size} kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:            {rss} kB
Pss:            {rss} kB
VmFlags: rd wr mr mw me ac
"""


def region(start: int, end: int, resident: int, name: str = "") -> str:
    return REGION.format(start=start, end=end, size=(end - start) >> 10, rss=resident >> 10, name=name)


def test_whole_large_pages_that_are_mostly_used_are_chosen() -> None:
    heap = region(LARGE + 4096, 4 * LARGE + 4096, 3 * LARGE, "                 [heap]")
    stack = region(8 * LARGE, 12 * LARGE, 8192)
    short = region(16 * LARGE + 4096, 17 * LARGE + 4096, LARGE)
    library = region(20 * LARGE, 24 * LARGE, 4 * LARGE, "     /usr/lib/libcrypto.so.3")
    assert list(_dense_regions(heap + stack + short + library)) == [(2 * LARGE, 4 * LARGE)]


def test_what_was_there_is_still_there() -> None:
    """In a process of its own: its objects are the same afterwards."""
    code = (
        "from edge.memory import use_large_pages\n"
        "kept = [str(i) * 3 for i in range(300_000)]\n"
        "moved = use_large_pages()\n"
        "assert kept == [str(i) * 3 for i in range(300_000)]\n"
        "print(moved >= 0)\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
