"""Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760), and its client: no IO, no clock.

MD5, SHA-256 and, as the client, SHA-512-256 with ``qop=auth``; peers that know no qop (RFC 2069) are
served too, each of their nonces once.  Passwords and what is computed from them are in no repr or error.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from edge.sip.errors import SipParseError
from edge.sip.events import Credentials
from edge.sip.grammar import quote
from edge.sip.message import Response

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


def algorithm_of(params: dict[str, str]) -> Algorithm | None:
    name = params.get("algorithm", "MD5").upper()
    return next((known for known in _KNOWN if known == name), None)


def _hash(algorithm: Algorithm, text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if algorithm == "MD5":
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    if algorithm == "SHA-512-256":
        return hashlib.new("sha512_256", data).hexdigest()
    return hashlib.sha256(data).hexdigest()


def request_digest(algorithm: Algorithm, who: tuple[str, str, str], what: str, nonce: str, count: str) -> str:
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
    algorithm = algorithm_of(params)
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
        response = request_digest(challenge.algorithm, who, f"{method}:{uri}", challenge.nonce, count)
        return (
            f'Digest username={quote(username)}, realm="{challenge.realm}", nonce="{challenge.nonce}", '
            f'uri="{uri}", response="{response}", algorithm={challenge.algorithm}{tail}'
        )
