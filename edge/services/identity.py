"""Who asks, and whose doing the present edit is."""

from contextvars import ContextVar
from dataclasses import dataclass

from edge.model.config import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """The token's id (``environment`` for ``EDGE_ADMIN_TOKEN``), its role, and whose it is: a
    publisher's or a buyer's token reaches no further than its owner."""

    token_id: str
    role: Role
    publisher_id: str | None = None
    buyer_id: str | None = None


SCOPED: tuple[Role, ...] = ("publisher", "buyer")
"""The roles that see only what is their own."""
SERVER = Identity("server", "admin")
_acting: ContextVar[Identity] = ContextVar("acting", default=SERVER)


def act_as(identity: Identity) -> None:
    """What this task does from now on is this one's doing; of the tasks that it starts too."""
    _acting.set(identity)


def acting() -> str:
    """The id of whoever asked for what is being done; ``server`` when nobody did."""
    return _acting.get().token_id
