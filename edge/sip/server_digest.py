"""The server of digest authentication: we challenge a trunk (RFC 7616, RFC 8760).  No IO, no clock."""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final, Literal, NamedTuple

from edge.sip.digest import ALGORITHMS, MAX_CHALLENGES, Algorithm, algorithm_of, parse_auth, request_digest
from edge.sip.errors import SipParseError
from edge.sip.grammar import quote, unquote
from edge.sip.message import Request

Verdict = Literal["accepted", "absent", "stale", "refused"]

_STAMP: Final = Struct(">QI")
_MAC_OCTETS: Final = 18
_NONCE_OCTETS: Final = (_STAMP.size + _MAC_OCTETS) * 4 // 3
_LOOKED_AT: Final = 8192
"""Octets of an unread message, in which there may be a ``cnonce`` as well."""
_LOOKED_FOR: Final = 2
_NOBODY: Final = "\0"  # stands for the password of a name nobody has: costs the same, never matches


class Judgement(NamedTuple):
    """What the credentials of a request are worth.

    ``absent``: none for our realm.  ``stale``: for a nonce that is used up, or was never given to who asks:
    challenge with ``stale=True``.  ``refused``: wrong, whoever it is, and an answer to a challenge that was
    sent there.  ``username`` is set when accepted.
    """

    verdict: Verdict
    username: str = ""


class ServerDigest:
    """Our challenges and their judgement, for one realm.

    ``algorithms`` are offered in this order, one challenge each, and no others are accepted: some
    phones understand MD5 alone, others nothing but the first challenge (RFC 8760 section 2.3 wants
    the best one first).

    A nonce is its time of issue with an HMAC of that and of whom it was sent to, so that challenges cost
    no memory and nobody can answer for another; it lives for ``ttl_s`` seconds.  Of nonces that right
    credentials were given for, the highest nonce count is kept (``max_nonces`` of them; pushing one out
    makes it and all older ones stale), so that no request is accepted twice.  ``now`` is in seconds of
    any clock that never goes back.

    The digest's ``uri`` is not compared with the Request-URI: proxies in between may rewrite the
    latter (RFC 7616 section 3.4.6 leaves it to the server), and a copied header does not pass twice.
    """

    __slots__ = (
        "_algorithms", "_counts", "_floor", "_issued", "_max_nonces", "_secret", "_ttl_ms", "opaque", "realm",
    )  # fmt: skip

    def __init__(
        self,
        realm: str,
        secret: bytes,
        *,
        algorithms: Sequence[Algorithm] = ALGORITHMS,
        ttl_s: float = 300.0,
        max_nonces: int = 10_000,
    ) -> None:
        self.realm = realm
        self._algorithms = tuple(algorithms)
        self.opaque = hmac.new(secret, b"opaque:" + realm.encode(), "sha256").hexdigest()[:16]
        self._secret = secret
        self._ttl_ms = int(ttl_s * 1000)
        self._max_nonces = max_nonces
        self._issued = 0
        self._counts: dict[bytes, int] = {}
        self._floor = b""

    def challenges(self, now: float, *, source: str = "", stale: bool = False) -> tuple[str, ...]:
        """The values of the WWW-Authenticate headers of a 401, in the order of ``algorithms``.

        ``source`` is the address that it goes to, whose answer alone will count."""
        nonce = self._nonce(now, source)
        tail = ", stale=true" if stale else ""
        return tuple(
            f'Digest realm={quote(self.realm)}, nonce="{nonce}", opaque="{self.opaque}", '
            f'algorithm={algorithm}, qop="auth"{tail}'
            for algorithm in self._algorithms
        )

    def judge(
        self, request: Request, password_of: Callable[[str], str | None], now: float, *, source: str = ""
    ) -> Judgement:
        """Judges the first Authorization header for our realm, of a request from ``source``.

        ``password_of`` answers a user's password, None if there is no such user: who asks can not
        tell the two apart, neither by the answer nor by its time.
        """
        for value in request.headers.all("Authorization")[:MAX_CHALLENGES]:
            try:
                params = parse_auth(value)
            except SipParseError:
                continue
            if params.get("realm") == quote(self.realm)[1:-1]:
                stamp = self._fresh(params, source, now)
                return self._judge(params, request.method, password_of, stamp)
        return Judgement("absent")

    def answers(self, data: bytes, now: float, source: str) -> bool:
        """Whether an unread message (or its credentials) has a nonce that was given to ``source`` not long
        ago: who sent it heard our challenge."""
        at = 0
        for _ in range(_LOOKED_FOR):
            at = data.find(b'nonce="', at, _LOOKED_AT) + 7
            if at < 7:
                break
            stamp = self._stamp(data[at : at + _NONCE_OCTETS].decode("latin-1"), source)
            if stamp is not None and self._is_fresh(stamp, now):
                return True
        return False

    def _judge(
        self,
        params: dict[str, str],
        method: str,
        password_of: Callable[[str], str | None],
        stamp: bytes | None,
    ) -> Judgement:
        if stamp is None:  # not a word on the password: without a challenge of ours nobody guesses
            return Judgement("stale")
        algorithm = algorithm_of(params)
        count = _count(params)
        if algorithm not in self._algorithms or count is None:
            return Judgement("refused")
        username = unquote(f'"{params.get("username", "")}"')
        password = password_of(username)
        who = (username, params["realm"], _NOBODY if password is None else password)
        nonce = params.get("nonce", "")
        what = f"{method}:{params.get('uri', '')}"
        wanted = request_digest(algorithm, who, what, nonce, count[1])
        given = params.get("response", "").lower().encode("utf-8", "surrogateescape")
        right = hmac.compare_digest(wanted.encode(), given)
        if not right or password is None:
            return Judgement("refused")
        if not self._use(stamp, count[0]):
            return Judgement("stale")
        return Judgement("accepted", username)

    def _nonce(self, now: float, source: str) -> str:
        self._issued = (self._issued + 1) & 0xFFFFFFFF
        stamp = _STAMP.pack(int(now * 1000), self._issued)
        return urlsafe_b64encode(stamp + self._mac(stamp, source)).decode()

    def _mac(self, stamp: bytes, source: str) -> bytes:
        whom = f"{source}\0{self.realm}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._secret, stamp + whom, "sha256")[:_MAC_OCTETS]

    def _fresh(self, params: dict[str, str], source: str, now: float) -> bytes | None:
        """The time of issue of a nonce that we gave to ``source`` not long ago; None for any other."""
        # Another opaque than ours is of a challenge that was not, or no longer, ours; some phones send none.
        if params.get("opaque", self.opaque) != self.opaque:
            return None
        stamp = self._stamp(params.get("nonce", ""), source)
        return stamp if stamp is not None and self._is_fresh(stamp, now) else None

    def _is_fresh(self, stamp: bytes, now: float) -> bool:
        age_ms = int(now * 1000) - int(_STAMP.unpack(stamp)[0])
        return stamp > self._floor and 0 <= age_ms <= self._ttl_ms

    def _use(self, stamp: bytes, count: int) -> bool:
        """Notes that a nonce was used with this count; False if it may not be (again)."""
        if count <= self._counts.get(stamp, 0):
            return False
        if stamp not in self._counts and len(self._counts) == self._max_nonces:
            self._forget()
        self._counts[stamp] = count
        return True

    def _stamp(self, nonce: str, source: str) -> bytes | None:
        """The time of issue, if the nonce is one that we gave to ``source``."""
        try:
            raw = urlsafe_b64decode(nonce.encode("ascii"))
        except ValueError:
            return None
        stamp, mac = raw[: _STAMP.size], raw[_STAMP.size :]
        return stamp if hmac.compare_digest(mac, self._mac(stamp, source)) else None

    def _forget(self) -> None:
        """Drops the older half: amortised, so that a full table costs nothing extra."""
        stamps = sorted(self._counts)
        self._floor = stamps[len(stamps) // 2]
        for stamp in stamps[: len(stamps) // 2 + 1]:
            del self._counts[stamp]


def _count(params: dict[str, str]) -> tuple[int, str] | None:
    """The nonce count, and what is hashed of it; without qop the nonce counts as used once."""
    qop = params.get("qop")
    if qop is None:
        return 1, ""
    nc, cnonce = params.get("nc", ""), params.get("cnonce", "")
    if qop.lower() != "auth" or len(nc) != 8 or not cnonce or not re.fullmatch(r"[0-9a-fA-F]{8}", nc):
        return None
    return int(nc, 16), f"{nc}:{cnonce}:{qop}"
