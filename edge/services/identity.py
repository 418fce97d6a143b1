"""Who asks."""

from dataclasses import dataclass

from edge.model.config import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """The token's id (``environment`` for ``EDGE_ADMIN_TOKEN``) and its role."""

    token_id: str
    role: Role
