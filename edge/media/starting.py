"""A worker's process, started with our end of its control socket."""

import asyncio
import contextlib
import socket
import sys

from edge.media import control
from edge.media.link import Link


async def start(config: control.WorkerConfig, stock: int) -> Link:
    """Starts a worker process and configures it; raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.ExitStack() as undo, theirs:
        undo.enter_context(ours)
        ours.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "edge.media.worker",
            str(theirs.fileno()),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
        )
        undo.pop_all()
    link = Link(ours, process, stock)
    link.send(control.encode_configure(config))
    return link
