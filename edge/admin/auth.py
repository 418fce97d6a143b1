"""Who asks: bearer tokens, roles, and a limit on failed tries (interoperation rule: admin API)."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from edge.admin.ports import Tokens
from edge.admin.problem import Problem
from edge.admin.routes import Access
from edge.model.config import Role
from edge.networks import source_of
from edge.services.identity import SCOPED, Identity

RANK: dict[Role, int] = {"report_only": 0, "operator": 1, "admin": 2}
FAILURES = 10
REFILL_S = 6.0
_ADDRESSES = 4096
_TOKENS = 256
_LONGEST_TOKEN = 500
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="edge"'}


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class FailureLimit:
    """A token bucket of failed tries per client: 10 at once, then one every 6 s.

    An IPv6 client is its /64.  At most 4,096 clients are remembered, the latest ones.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Seconds until this client may try again; 0 when it may now."""
        bucket = self._buckets.get(client)
        if bucket is None:
            return 0.0
        self._refill(bucket)
        return 0.0 if bucket.left >= 1 else (1 - bucket.left) * REFILL_S

    def failed(self, client: str) -> None:
        """Takes one try from this client."""
        bucket = self._buckets.setdefault(client, _Bucket(FAILURES, self._monotonic()))
        self._buckets.move_to_end(client)
        self._refill(bucket)
        bucket.left = max(0.0, bucket.left - 1)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)

    def _refill(self, bucket: _Bucket) -> None:
        now = self._monotonic()
        bucket.left = min(FAILURES, bucket.left + (now - bucket.at) / REFILL_S)
        bucket.at = now


class Gate:
    """Answers who asks, or refuses with 401, 403 or 429.

    A token that was right lately passes the limit: someone else's wrong tries from behind the same
    proxy must not lock its owner out.
    """

    def __init__(self, tokens: Tokens, monotonic: Callable[[], float]) -> None:
        self._tokens = tokens
        self._limit = FailureLimit(monotonic)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def identify(self, request: web.Request, access: Access) -> Identity:
        """The identity behind the Authorization header, when its role reaches ``access``.

        Publishers and buyers have no rank: what they reach is said route by route (``resources.scoped``).
        """
        secret = _bearer(request)
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        client = source_of(request.remote or "unknown")
        wait = self._limit.wait_s(client)
        if wait > 0 and digest not in self._right:
            retry = {"Retry-After": str(int(wait) + 1)}
            raise Problem(429, "too many failed tries with a wrong token", headers=retry)
        identity = await self._tokens.authenticate(secret)
        if identity is None:
            self._limit.failed(client)
            self._right.pop(digest, None)
            raise Problem(401, "this API token is not known", headers=_CHALLENGE)
        self._remember(digest)
        if identity.role not in SCOPED and RANK[identity.role] < RANK[access]:
            raise Problem(403, f"this needs a token with the role {access}; yours is {identity.role}")
        return identity

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = None
        self._right.move_to_end(digest)
        if len(self._right) > _TOKENS:
            self._right.popitem(last=False)


def _bearer(request: web.Request) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret or len(secret) > _LONGEST_TOKEN:
        raise Problem(401, "send an API token as 'Authorization: Bearer TOKEN'", headers=_CHALLENGE)
    return secret
