"""How many files and sockets a process may have open."""

import contextlib
import resource


def raise_limit() -> None:
    """To what the system allows at most: a shell's usual 1,024 are too few for calls and connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
