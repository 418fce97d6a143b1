"""How many calls there is room for: by the ports, and by the files that a worker may have open.

A port is two sockets in each family (IPv4, IPv6).  While its peer is heard it may have one more, which makes
packets cheaper: ports come first, for those that rest after their calls need none, and many more of them rest
than are in use when calls are short.  Neither takes the last descriptors, which prompts and recordings need.
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


class Spare:
    """How many of a process's open files are ``left`` for sockets toward peers."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


def share_of(ports: range, *, open_files: int, families: int) -> tuple[list[int], Spare]:
    """Of one worker's ports those that it may bind, in an order drawn at random; and what is left then."""
    files, each = max(0, open_files - _ELSE), 2 * families
    numbers = random.SystemRandom().sample(ports, min(len(ports), files // each))
    return numbers, Spare(files - each * len(numbers))


def files_for(calls: int, workers: int, families: int) -> int:
    """How many files each worker must be allowed to have open for so many calls."""
    ports = -(-calls * PORTS_A_CALL // workers)
    return ports * (2 * families + 1) + _ELSE


def calls_within(first: int, last: int, workers: int, *, open_files: int, families: int) -> int:
    """The calls that a range of ports, shared out among the workers, has room for: each with both its peers'
    sockets."""
    share = len(even_ports(first, last)) // workers
    in_use = max(0, open_files - _ELSE) // (2 * families + 1)
    return min(share, in_use) // PORTS_A_CALL * workers
