"""The way out to the web, for addresses that strangers write: https only, and never into our own network."""

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from edge.networks import Networks
from edge.stir.errors import Unproven

MAX_OCTETS: Final = 65_536
LIMIT_S: Final = 5.0
PORTS: Final = frozenset({443, 8443})
LOOK_UPS: Final = 32
"""Names that are looked up at once."""
# Ways around: IPv4 within IPv6, which some networks translate back.
_TRANSLATED: Final = Networks.of(("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"))


def is_public(address: str) -> bool:
    """Whether an IP address is of the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_global and not found.is_multicast and address not in _TRANSLATED


class _Names(AbstractResolver):
    """Looks names up in threads of its own.  Strangers write them, and their name servers may let us wait:
    that holds up nothing else that is done in threads, such as edits."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS, "names")
        self._free = threading.Semaphore(LOOK_UPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name; OSError says why there are none."""
        if not self._free.acquire(blocking=False):
            raise OSError("too many names are being looked up")
        work = asyncio.wrap_future(self._threads.submit(self._look_up, host, port, family))
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it
        return await asyncio.shield(work)

    def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        try:
            found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except UnicodeError:
            raise OSError("it is no name") from None
        finally:
            self._free.release()
        return [
            ResolveResult(
                hostname=host, host=str(to[0]), port=int(to[1]), family=kind, proto=protocol, flags=numeric
            )
            for kind, _, protocol, _, to in found
        ]

    async def close(self) -> None:
        """Looks up no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Web:
    """A client of its own; an async context manager.  ``private_hosts`` are the names and addresses that may
    lead into our own network, on any port.  ``trust`` is a PEM file of authorities beside the system's."""

    def __init__(self, private_hosts: Iterable[str] = (), trust: Path | None = None) -> None:
        self._private = frozenset(host.lower() for host in private_hosts)
        self._trust = trust
        self._public: aiohttp.ClientSession | None = None
        self._inside: aiohttp.ClientSession | None = None
        self._names = _Names()

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context()
        if self._trust is not None:
            context.load_verify_locations(self._trust)
        self._public = _client(context, resolver=self._names, socket_factory=_public_socket)
        self._inside = _client(context, resolver=self._names) if self._private else None
        return self

    async def __aexit__(self, *exc: object) -> None:
        for session in (self._public, self._inside):
            if session is not None:
                await session.close()
        await self._names.close()

    async def get(self, address: str, most: int = MAX_OCTETS) -> bytes:
        """What lies at an https address, ``most`` bytes; raises Unproven, within ``LIMIT_S`` seconds."""
        try:
            url = URL(address)
            host, port = (url.host or "").lower(), url.port
        except ValueError:
            raise Unproven(f"{address[:200]} is no address") from None
        inside = host in self._private
        if url.scheme != "https" or (port not in PORTS and not inside):
            raise Unproven(f"{address[:200]} is no https address on port 443 or 8443")
        session = self._inside if inside else self._public
        assert session is not None
        try:
            async with session.get(url, allow_redirects=False) as answer:
                return await _body(answer, most)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unproven(f"{host} can not be asked: {type(error).__name__}: {error}"[:200]) from None


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    if answer.status != 200:
        raise Unproven(f"{answer.host} answers {answer.status}")
    body = bytearray()
    async for piece in answer.content.iter_chunked(8192):
        body += piece
        if len(body) > most:
            raise Unproven(f"{answer.host} sends more than {most} bytes")
    return bytes(body)


def _client(context: ssl.SSLContext, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=20, force_close=True, **options),
        timeout=aiohttp.ClientTimeout(total=LIMIT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": "Edge", "Accept-Encoding": "identity"},
    )


def _public_socket(where: Any) -> socket.socket:
    """A socket for one address that a name has led to: judged where it is dialled, so that nothing that
    was looked up in between can differ."""
    family, kind, protocol, _, address = where
    if not is_public(address[0]):
        raise OSError(f"{address[0]} is not of the open internet")
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made
