"""Our answers to digest challenges (RFC 3261 section 22.2, RFC 7616)."""

from edge.sip.events import Credentials
from edge.sip.message import Request, Response


class ClientAuth:
    """The credentials of one call: one answer per realm, and one more when its nonce was stale."""

    __slots__ = ("_credentials",)

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def answer(self, request: Request, response: Response) -> tuple[tuple[str, str], ...] | None:
        """The header lines to send ``request`` again with, None if that would be of no use."""
        return None
