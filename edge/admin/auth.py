"""Who asks: bearer tokens, roles, and a limit on failed tries (interoperation rule: admin API)."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from edge.admin.ports import Identity, Tokens
from edge.admin.problem import Problem
from edge.model.config import Role

RANK: dict[Role, int] = {"report_only": 0, "operator": 1, "admin": 2}
FAILURES = 10
REFILL_S = 6.0
_ADDRESSES = 4096
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


def client_of(address: str | None) -> str:
    """The rate-limited unit behind an address: itself, or its /64 for IPv6."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Gate:
    """Answers who asks, or refuses with 401, 403 or 429."""

    def __init__(self, tokens: Tokens, monotonic: Callable[[], float]) -> None:
        self._tokens = tokens
        self._limit = FailureLimit(monotonic)

    async def identify(self, request: web.Request, access: Role) -> Identity:
        """The identity behind the Authorization header, when its role reaches ``access``."""
        client = client_of(request.remote)
        wait = self._limit.wait_s(client)
        if wait > 0:
            retry = {"Retry-After": str(int(wait) + 1)}
            raise Problem(429, "too many failed tries with a wrong token", headers=retry)
        identity = await self._tokens.authenticate(_bearer(request))
        if identity is None:
            self._limit.failed(client)
            raise Problem(401, "this API token is not known", headers=_CHALLENGE)
        if RANK[identity.role] < RANK[access]:
            raise Problem(403, f"this needs a token with the role {access}; yours is {identity.role}")
        return identity


def _bearer(request: web.Request) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret or len(secret) > _LONGEST_TOKEN:
        raise Problem(401, "send an API token as 'Authorization: Bearer TOKEN'", headers=_CHALLENGE)
    return secret
