"""The end of a call's dialogs: each peer says that it heard of it."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

from edge.calls.inbox import Inbox
from edge.sip.invite import Invite

SETTLE_S: Final = 1.0


async def settled(invites: Iterable[Invite]) -> None:
    """Until the peers have answered our BYE or CANCEL, so that the ladder is whole; a second at most."""
    waiting = [invite for invite in invites if invite.closing]
    if not waiting:
        return
    inbox: Inbox[None] = Inbox()
    for invite in waiting:
        invite.on_closed = partial(inbox.put, None)
    until = asyncio.get_running_loop().time() + SETTLE_S
    try:
        for _ in waiting:
            await inbox.get(until - asyncio.get_running_loop().time())
    finally:
        inbox.close()
