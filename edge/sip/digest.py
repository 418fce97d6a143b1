"""Digest authentication in both roles (RFC 3261 section 22, RFC 7616, RFC 8760): no IO, no clock.

MD5, SHA-256 and, as the client, SHA-512-256 with ``qop=auth``; peers that know no qop (RFC 2069) are
served too, each of their nonces once.  Passwords and what is computed from them are in no repr or error.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final, Literal, NamedTuple

from edge.sip.errors import SipParseError
from edge.sip.events import Credentials
from edge.sip.grammar import quote, unquote
from edge.sip.message import Request, Response

Algorithm = Literal["SHA-512-256", "SHA-256", "MD5"]

# Best first.  RFC 8760 section 2.3: the order in which a server lists its challenges.
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("SHA-256", "MD5")
_KNOWN: Final[tuple[Algorithm, ...]] = ("SHA-512-256", *ALGORITHMS)
MAX_PARAMS: Final = 32
MAX_CHALLENGES: Final = 8

_PARAM: Final = re.compile(
    r"[ \t,]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+=[ \t]*+"
    r'("(?:[^"\\]++|\\.)*"|[^",\s]++)[ \t]*+(?:,|\Z)',
    re.DOTALL,
)


def parse_auth(value: str) -> dict[str, str]:
    """The parameters of a Digest challenge or of Digest credentials, by lower-case name.

    Quoted values come without their quotes and with their escapes kept, because that is what is
    hashed (RFC 7616 section 3.4).  Raises SipParseError, also for another scheme than Digest.
    """
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        raise SipParseError("an authentication scheme other than Digest")
    params: dict[str, str] = {}
    at = 0
    while at < len(rest):
        match = _PARAM.match(rest, at)
        if match is None or match[1].lower() in params or len(params) == MAX_PARAMS:
            raise SipParseError("malformed Digest parameters")
        word = match[2]
        params[match[1].lower()] = word[1:-1] if word[0] == '"' else word
        at = match.end()
    return params


def _algorithm(params: dict[str, str]) -> Algorithm | None:
    name = params.get("algorithm", "MD5").upper()
    return next((known for known in _KNOWN if known == name), None)


def _hash(algorithm: Algorithm, text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if algorithm == "MD5":
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    if algorithm == "SHA-512-256":
        return hashlib.new("sha512_256", data).hexdigest()
    return hashlib.sha256(data).hexdigest()


def _digest(algorithm: Algorithm, who: tuple[str, str, str], what: str, nonce: str, count: str) -> str:
    """The request-digest (RFC 7616 section 3.4.1).

    ``who`` is username, realm, password; ``what`` is ``method:uri``; ``count`` is
    ``nc:cnonce:qop``, empty without qop.
    """
    a1 = _hash(algorithm, ":".join(who))
    middle = f"{nonce}:{count}" if count else nonce
    return _hash(algorithm, f"{a1}:{middle}:{_hash(algorithm, what)}")


# -- the client: a target challenges us -------------------------------------------------------------


class Challenge(NamedTuple):
    """One challenge that we can answer.  ``header`` is the request header its answer goes into."""

    header: Literal["Authorization", "Proxy-Authorization"]
    realm: str
    nonce: str
    algorithm: Algorithm
    opaque: str | None
    qop: bool
    stale: bool


def challenges(response: Response) -> list[Challenge]:
    """The challenges of a 401 or 407 that we can answer: one a realm, the strongest of each (local policy:
    RFC 8760 section 2.4 would take the topmost).

    What we can not answer or read (another scheme, algorithm or qop) is passed over.
    """
    proxy = response.status == 407
    best: dict[str, Challenge] = {}
    for value in response.headers.all("Proxy-Authenticate" if proxy else "WWW-Authenticate")[:MAX_CHALLENGES]:
        challenge = _challenge(value, proxy)
        if challenge is None:
            continue
        other = best.get(challenge.realm)
        if other is None or _KNOWN.index(challenge.algorithm) < _KNOWN.index(other.algorithm):
            best[challenge.realm] = challenge
    return list(best.values())


def _challenge(value: str, proxy: bool) -> Challenge | None:
    try:
        params = parse_auth(value)
    except SipParseError:
        return None
    algorithm = _algorithm(params)
    qops = [word.strip().lower() for word in params["qop"].split(",")] if "qop" in params else None
    if algorithm is None or "realm" not in params or "nonce" not in params:
        return None
    if qops is not None and "auth" not in qops:
        return None
    return Challenge(
        "Proxy-Authorization" if proxy else "Authorization",
        params["realm"],
        params["nonce"],
        algorithm,
        params.get("opaque"),
        qops is not None,
        params.get("stale", "").lower() == "true",
    )


class ClientDigest:
    """Our side of the challenges that one peer makes during one call.

    ``cnonce`` draws a fresh client nonce (letters and digits).  Each realm is tried once, and once
    more when the peer calls the nonce stale: wrong credentials never loop (RFC 3261 22.1).
    """

    __slots__ = ("_cnonce", "_counts", "_credentials", "_known", "_renewed")

    def __init__(self, credentials: Credentials, cnonce: Callable[[], str]) -> None:
        self._credentials = credentials
        self._cnonce = cnonce
        self._known: dict[tuple[str, str], Challenge] = {}
        self._counts: dict[str, int] = {}
        self._renewed: set[tuple[str, str]] = set()

    def accept(self, response: Response) -> bool:
        """Takes in a 401 or 407; answers whether trying again with ``headers`` makes sense."""
        answerable = [c for c in challenges(response) if self._credentials.realm in (None, c.realm)]
        accepted = [self._accept(challenge) for challenge in answerable]
        return any(accepted)

    def _accept(self, challenge: Challenge) -> bool:
        key = (challenge.header, challenge.realm)
        if key in self._known:
            if not challenge.stale or key in self._renewed:
                return False
            self._renewed.add(key)
        elif len(self._known) == MAX_CHALLENGES:
            return False
        self._known[key] = challenge
        return True

    def headers(self, method: str, uri: str) -> tuple[tuple[str, str], ...]:
        """The Authorization and Proxy-Authorization headers of a new request of this call."""
        return tuple((c.header, self._answer(c, method, uri)) for c in self._known.values())

    def _answer(self, challenge: Challenge, method: str, uri: str) -> str:
        username, password = self._credentials.username, self._credentials.password
        count = tail = ""
        if challenge.qop:
            number = self._counts[challenge.nonce] = self._counts.get(challenge.nonce, 0) + 1
            cnonce = self._cnonce()
            count = f"{number:08x}:{cnonce}:auth"
            tail = f', qop=auth, cnonce="{cnonce}", nc={number:08x}'
        if challenge.opaque is not None:
            tail += f', opaque="{challenge.opaque}"'
        who = (username, challenge.realm, password)
        response = _digest(challenge.algorithm, who, f"{method}:{uri}", challenge.nonce, count)
        return (
            f'Digest username={quote(username)}, realm="{challenge.realm}", nonce="{challenge.nonce}", '
            f'uri="{uri}", response="{response}", algorithm={challenge.algorithm}{tail}'
        )


# -- the server: we challenge a trunk ---------------------------------------------------------------

Verdict = Literal["accepted", "absent", "stale", "refused"]

_STAMP: Final = Struct(">QI")
_MAC_OCTETS: Final = 18
_NOBODY: Final = "\0"  # stands for the password of a name nobody has: costs the same, never matches


class Judgement(NamedTuple):
    """What the credentials of a request are worth.

    ``absent``: none for our realm.  ``stale``: right, but for a nonce that is used up: challenge
    with ``stale=True``.  ``refused``: wrong, whoever it is.  ``username`` is set when accepted.
    """

    verdict: Verdict
    username: str = ""


class ServerDigest:
    """Our challenges and their judgement, for one realm.

    ``algorithms`` are offered in this order, one challenge each, and no others are accepted: some
    phones understand MD5 alone, others nothing but the first challenge (RFC 8760 section 2.3 wants
    the best one first).

    A nonce is its time of issue with an HMAC, so that challenges cost no memory; it lives for
    ``ttl_s`` seconds.  Of nonces that right credentials were given for, the highest nonce count is
    kept (``max_nonces`` of them; pushing one out makes it and all older ones stale), so that no
    request is accepted twice.  ``now`` is in seconds of any clock that never goes back.

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

    def challenges(self, now: float, *, stale: bool = False) -> tuple[str, ...]:
        """The values of the WWW-Authenticate headers of a 401, in the order of ``algorithms``."""
        nonce = self._nonce(now)
        tail = ", stale=true" if stale else ""
        return tuple(
            f'Digest realm={quote(self.realm)}, nonce="{nonce}", opaque="{self.opaque}", '
            f'algorithm={algorithm}, qop="auth"{tail}'
            for algorithm in self._algorithms
        )

    def judge(self, request: Request, password_of: Callable[[str], str | None], now: float) -> Judgement:
        """Judges the first Authorization header for our realm.

        ``password_of`` answers a user's password, None if there is no such user: who asks can not
        tell the two apart, neither by the answer nor by its time.
        """
        for value in request.headers.all("Authorization")[:MAX_CHALLENGES]:
            try:
                params = parse_auth(value)
            except SipParseError:
                continue
            if params.get("realm") == quote(self.realm)[1:-1]:
                return self._judge(params, request.method, password_of, now)
        return Judgement("absent")

    def _judge(
        self, params: dict[str, str], method: str, password_of: Callable[[str], str | None], now: float
    ) -> Judgement:
        algorithm = _algorithm(params)
        count = _count(params)
        if algorithm not in self._algorithms or count is None:
            return Judgement("refused")
        username = unquote(f'"{params.get("username", "")}"')
        password = password_of(username)
        who = (username, params["realm"], _NOBODY if password is None else password)
        nonce = params.get("nonce", "")
        what = f"{method}:{params.get('uri', '')}"
        wanted = _digest(algorithm, who, what, nonce, count[1])
        given = params.get("response", "").lower().encode("utf-8", "surrogateescape")
        right = hmac.compare_digest(wanted.encode(), given)
        if not right or password is None:
            return Judgement("refused")
        # Another opaque than ours is of a challenge that was not, or no longer, ours; some phones send none.
        if params.get("opaque", self.opaque) != self.opaque or not self._use(nonce, count[0], now):
            return Judgement("stale")
        return Judgement("accepted", username)

    def _nonce(self, now: float) -> str:
        self._issued = (self._issued + 1) & 0xFFFFFFFF
        stamp = _STAMP.pack(int(now * 1000), self._issued)
        return urlsafe_b64encode(stamp + self._mac(stamp)).decode()

    def _mac(self, stamp: bytes) -> bytes:
        return hmac.digest(self._secret, stamp + self.realm.encode(), "sha256")[:_MAC_OCTETS]

    def _use(self, nonce: str, count: int, now: float) -> bool:
        """Notes that a nonce was used with this count; False if it may not be (again)."""
        stamp = self._stamp(nonce)
        if stamp is None or stamp <= self._floor:
            return False
        age_ms = int(now * 1000) - int(_STAMP.unpack(stamp)[0])
        if not 0 <= age_ms <= self._ttl_ms or count <= self._counts.get(stamp, 0):
            return False
        if stamp not in self._counts and len(self._counts) == self._max_nonces:
            self._forget()
        self._counts[stamp] = count
        return True

    def _stamp(self, nonce: str) -> bytes | None:
        """The time of issue, if the nonce is one of ours."""
        try:
            raw = urlsafe_b64decode(nonce.encode("ascii"))
        except ValueError:
            return None
        stamp, mac = raw[: _STAMP.size], raw[_STAMP.size :]
        return stamp if hmac.compare_digest(mac, self._mac(stamp)) else None

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
