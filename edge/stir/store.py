"""Finds signers: their certificates come from a directory or the web, judged once and then kept a while."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509

from edge.clock import Clock
from edge.logs import get_logger
from edge.stir import chain
from edge.stir.chain import Signer
from edge.stir.errors import Unproven
from edge.stir.lists import Lists
from edge.stir.web import Web

KEPT_S: Final = 3600.0
CHECKED_S: Final = 60.0
"""Seconds until a signer is judged anew where someone may have revoked its certificate."""
FAILED_S: Final = 60.0
MAX_KEPT: Final = 1000
MAX_AT_ONCE: Final = 20
"""Certificates that are being fetched: those that are here already wait for none of them."""

log = get_logger("edge.stir")

T = TypeVar("T")


class _Busy(Unproven):
    """It was not asked for: that says nothing of it for later."""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """``trust`` is the PEM file of authorities; ``directory`` holds certificates by host and path of their
    address (``cert.example.org/a.pem``); ``fetch`` whether others are looked for on the web."""

    trust: Path
    directory: Path | None = None
    fetch: bool = True


class SignerStore:
    """Each address is asked for once at a time, and its answer, good or bad, kept.  ``lists`` tell of
    certificates that were revoked (None: nobody looks)."""

    def __init__(self, config: StoreConfig, web: Web, clock: Clock, lists: Lists | None = None) -> None:
        self._lists = lists
        self._judged_for_s = KEPT_S if lists is None else CHECKED_S
        self._config = config
        self._web = web
        self._clock = clock
        self._kept: dict[str, tuple[float, Signer | Unproven]] = {}
        self._fetched: dict[str, tuple[float, bytes]] = {}
        self._asked: dict[str, asyncio.Task[Signer | Unproven]] = {}
        self._fetching = 0

    async def signer(self, address: str) -> Signer:
        """Whose certificate lies at this https address; raises Unproven.  Who gives up waiting harms no
        other."""
        until, found = self._kept.get(address, (0.0, None))
        if found is None or self._clock.monotonic() >= until:
            found = await asyncio.shield(self._asking(address))
        if isinstance(found, Unproven):
            raise type(found)(str(found))
        return found

    async def close(self) -> None:
        """Ends what is still being asked for."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        if self._lists is not None:
            await self._lists.close()

    def _asking(self, address: str) -> "asyncio.Task[Signer | Unproven]":
        task = self._asked.get(address)
        if task is None:
            task = self._asked[address] = asyncio.create_task(self._ask(address), name="certificate")
            task.add_done_callback(lambda _: self._asked.pop(address, None))
        return task

    async def _ask(self, address: str) -> Signer | Unproven:
        try:
            found: Signer | Unproven = await self._look(address)
        except _Busy as error:
            return error
        except Unproven as error:
            found = error
        except Exception:
            log.exception("identity.certificate_failed", address=address)
            found = Unproven("an internal error; the log has it")
        for_s = FAILED_S if isinstance(found, Unproven) or found.doubt else self._judged_for_s
        _keep(self._kept, address, (self._clock.monotonic() + for_s, found))
        return found

    async def _look(self, address: str) -> Signer:
        pem = await asyncio.to_thread(self._stored, address)
        if pem is None:
            signer, trusted = await self._fetch(address)
        else:
            signer, trusted = await asyncio.to_thread(self._judged, pem)
        if self._lists is None:
            return signer
        return signer._replace(doubt=await self._lists.doubt(signer.way, trusted))

    async def _fetch(self, address: str) -> tuple[Signer, Sequence[x509.Certificate]]:
        """From the web; what was good is not asked for again within ``KEPT_S``."""
        if not self._config.fetch:
            raise Unproven("the certificate is not in the directory")
        until, pem = self._fetched.get(address, (0.0, b""))
        now = self._clock.monotonic()
        if now < until:
            return await asyncio.to_thread(self._judged, pem)
        if self._fetching >= MAX_AT_ONCE:
            raise _Busy("too many certificates are being fetched")
        self._fetching += 1
        try:
            pem = await self._web.get(address)
        finally:
            self._fetching -= 1
        judged = await asyncio.to_thread(self._judged, pem)
        _keep(self._fetched, address, (now + KEPT_S, pem))
        return judged

    def _stored(self, address: str) -> bytes | None:
        directory = self._config.directory
        if directory is None:
            return None
        parts = urlsplit(address)
        names = [parts.netloc.lower(), *parts.path.split("/")[1:]]
        if any(name in ("", ".", "..") or "\\" in name or "\x00" in name for name in names):
            return None
        try:
            return directory.joinpath(*names).read_bytes()
        except OSError:
            return None

    def _judged(self, pem: bytes) -> tuple[Signer, Sequence[x509.Certificate]]:
        trusted = self._trusted()
        return chain.signer(chain.read(pem), trusted), trusted

    def _trusted(self) -> Sequence[x509.Certificate]:
        """Read anew each time, which is seldom: an edited list counts when a signer is judged again."""
        try:
            return x509.load_pem_x509_certificates(self._config.trust.read_bytes())
        except (OSError, ValueError) as error:
            raise Unproven(f"the trust list can not be read: {error}") from None


def _keep(table: dict[str, T], address: str, value: T) -> None:
    """From a full table the oldest goes."""
    if len(table) >= MAX_KEPT and address not in table:
        del table[next(iter(table))]
    table[address] = value
