"""The one error of everything that reads SIP."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.sip.message import Request


class SipParseError(ValueError):
    """A message that is not SIP.  The one error the parsers raise.

    ``status`` is the answer to give (400, 413, 416, 505, 513 …), or 0 when none may be given
    (a response, an ACK, or no usable top Via).  ``close`` says a stream can not be resynchronised.
    ``request`` carries the partly parsed request to answer to, if there is enough of it.
    """

    def __init__(
        self, reason: str, status: int = 400, *, close: bool = False, request: "Request | None" = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.close = close
        self.request = request
