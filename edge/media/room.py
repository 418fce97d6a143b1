"""How many calls there is room for: by the ports, and by the files that a worker may have open.

A port is two sockets in each family (IPv4, IPv6), and one more while its peer is heard.  Ports that could
take the last descriptors would leave none for prompts and recordings.
"""

import os
import random
from typing import Final

_ELSE: Final = 64
"""What a worker has open besides: its control socket, its timer, prompts on their way, a recorder's pipe."""
PORTS_A_CALL: Final = 2
"""What a call is promised at its arrival: one toward the caller, one toward its target."""


def workers_of(configured: int) -> int:
    """How many workers there are: 0 stands for one on each core that this process may use."""
    return configured or len(os.sched_getaffinity(0))


def even_ports(first: int, last: int) -> range:
    """The RTP ports of a range: each has its RTCP port beside it."""
    return range(first + first % 2, last, 2)


def share_of(first: int, last: int, index: int, count: int, *, most: int) -> list[int]:
    """One worker's ports of a range that ``count`` share, ``most`` of them at random if they are more."""
    share = even_ports(first, last)[index::count]
    return random.SystemRandom().sample(share, min(len(share), most))


def ports_within(open_files: int, families: int) -> int:
    """How many ports a process may bind that may have so many files open."""
    return max(0, open_files - _ELSE) // (2 * families + 1)


def files_for(calls: int, workers: int, families: int) -> int:
    """How many files each worker must be allowed to have open for so many calls."""
    ports = -(-calls * PORTS_A_CALL // workers)
    return ports * (2 * families + 1) + _ELSE


def calls_within(first: int, last: int, workers: int, *, open_files: int, families: int) -> int:
    """The calls that a range of ports, shared out among the workers, has room for."""
    share = len(even_ports(first, last)) // workers
    return min(share, ports_within(open_files, families)) // PORTS_A_CALL * workers
