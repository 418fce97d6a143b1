"""Verifies the caller of one call, within its time; a call never fails because of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edge.clock import Clock
from edge.logs import get_logger
from edge.model.attestation import Attested
from edge.settings.sections import StirSection
from edge.stir.errors import Unproven, Wrong
from edge.stir.lists import ListConfig, Lists
from edge.stir.passport import Passport, check, shaken
from edge.stir.store import SignerStore, StoreConfig
from edge.stir.web import Web

log = get_logger("edge.stir")


@dataclass(frozen=True, slots=True)
class VerifierConfig:
    """``wait_s`` is how long a call may wait for a certificate, ``max_age_s`` how old an identity may be;
    without ``lists`` nobody looks for revoked certificates."""

    store: StoreConfig
    wait_s: float = 1.0
    max_age_s: float = 60.0
    lists: ListConfig | None = None


class Verifier:
    """An async context manager."""

    def __init__(self, config: VerifierConfig, web: Web, clock: Clock) -> None:
        self._config = config
        self._web = web
        self._clock = clock
        lists = None if config.lists is None else Lists(config.lists, web, clock)
        self._signers = SignerStore(config.store, web, clock, lists)

    @classmethod
    def of(cls, stir: StirSection, tls_trust: Path | None, clock: Clock) -> Self:
        """As the settings want it, whose trust list says whom to believe."""
        directory = Path(stir.certificates) if stir.certificates else None
        store = StoreConfig(Path(stir.trust), directory, stir.fetch)
        config = VerifierConfig(store, stir.wait_s, stir.max_age_s, _lists(stir))
        return cls(config, Web(stir.private_hosts, tls_trust), clock)

    async def __aenter__(self) -> Self:
        await self._web.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._signers.close()
        await self._web.__aexit__(*exc)

    async def verify(self, identities: Sequence[str], callers: Sequence[str], called: str) -> Attested:
        """What the Identity headers of a call are worth (RFC 8224 section 6.2); numbers are E.164."""
        try:
            async with asyncio.timeout(self._config.wait_s):
                passport, doubt = await self._verified(identities, callers, called)
        except Wrong as why:
            return Attested("", "TN-Validation-Failed", "verified", str(why))
        except Unproven as why:
            return Attested("", "No-TN-Validation", "", str(why))
        except TimeoutError:
            return Attested("", "No-TN-Validation", "", "its certificate did not come in time")
        except Exception:
            log.exception("identity.not_verified")
            return Attested("", "No-TN-Validation", "", "an internal error; the log has it")
        return Attested(passport.level, "TN-Validation-Passed", "verified", doubt)

    async def _verified(
        self, identities: Sequence[str], callers: Sequence[str], called: str
    ) -> tuple[Passport, str]:
        """What holds, and what is not certain about it."""
        now = self._clock.utc()
        passport = shaken(identities)
        check(passport, callers, called, now.timestamp(), self._config.max_age_s)
        signer = await self._signers.signer(passport.certificate)
        signer.check(passport.signed, passport.signature, passport.caller, now)
        return passport, signer.doubt


def _lists(stir: StirSection) -> ListConfig | None:
    if not stir.crls and not stir.crl_hosts:
        return None
    hosts = frozenset(host.lower() for host in stir.crl_hosts)
    return ListConfig(Path(stir.crls) if stir.crls else None, hosts, stir.wait_s / 2, stir.crl_refresh_s)
