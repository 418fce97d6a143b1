"""Verifying a call: where certificates come from, how long that may take, and what is kept."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from edge.clock import Clock
from edge.model.attestation import Attested
from edge.stir.errors import Unproven
from edge.stir.lists import ListConfig
from edge.stir.store import MAX_AT_ONCE, StoreConfig
from edge.stir.verifier import Verifier, VerifierConfig
from edge.stir.web import LOOK_UPS, Web, _Names, is_public
from tests.support.server import eventually
from tests.support.signer import Party

ANNA, US = "+13125550101", "+18005550100"
ROOT = Party("root", authority=True)
CARRIER = Party("carrier", ROOT)
AT = "https://cert.example/shaken/a.pem"
PASSED = Attested("A", "TN-Validation-Passed", "verified")


class FakeWeb:
    """A web that answers what it is told, and counts who asks."""

    def __init__(self, pem: bytes | None = None, patience: asyncio.Event | None = None) -> None:
        self.pem = pem
        self.asked: list[str] = []
        self.patience = patience

    async def __aenter__(self) -> "FakeWeb":
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def get(self, address: str) -> bytes:
        self.asked.append(address)
        if self.patience is not None:
            await self.patience.wait()
        if self.pem is None:
            raise Unproven("nobody there")
        return self.pem


class Now:
    """Clocks that are set by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def utc(self) -> datetime:
        return datetime.now(UTC)


def verifier(tmp_path: Path, web: FakeWeb, now: Now | None = None, **store: Any) -> Verifier:
    (tmp_path / "trust.pem").write_bytes(ROOT.pem)
    config = VerifierConfig(StoreConfig(tmp_path / "trust.pem", **store), wait_s=0.5)
    return Verifier(config, cast(Web, web), cast(Clock, now or Now()))


async def test_a_signed_call_is_verified_and_its_certificate_kept(tmp_path: Path) -> None:
    web, now = FakeWeb(CARRIER.pem), Now()
    async with verifier(tmp_path, web, now) as checking:
        identity = CARRIER.identity(AT, ANNA, US)
        both = [checking.verify([identity], [ANNA], US) for _ in range(2)]
        assert await asyncio.gather(*both) == [PASSED, PASSED]
        assert web.asked == [AT]
        now.passed = 3600.0
        assert await checking.verify([identity], [ANNA], US) == PASSED
        assert web.asked == [AT, AT]


async def test_what_was_signed_otherwise_has_failed(tmp_path: Path) -> None:
    async with verifier(tmp_path, FakeWeb(CARRIER.pem)) as checking:
        forged = Party("carrier", ROOT).identity(AT, ANNA, US)
        other = CARRIER.identity(AT, "+13125550199", US)
        for identity, why in ((forged, "signature"), (other, "another caller")):
            found = await checking.verify([identity], [ANNA], US)
            assert (found.level, found.verstat, found.by) == ("", "TN-Validation-Failed", "verified")
            assert why in found.reason


async def test_what_can_not_be_checked_is_neither_and_not_asked_for_again_at_once(tmp_path: Path) -> None:
    web = FakeWeb(None)
    async with verifier(tmp_path, web) as checking:
        for _ in range(2):
            found = await checking.verify([CARRIER.identity(AT, ANNA, US)], [ANNA], US)
            assert found == Attested("", "No-TN-Validation", "", "nobody there")
        assert web.asked == [AT]
        assert (await checking.verify(["x"], [ANNA], US)).by == ""


async def test_a_call_waits_only_so_long_and_the_next_one_has_the_certificate(tmp_path: Path) -> None:
    patience = asyncio.Event()
    async with verifier(tmp_path, FakeWeb(CARRIER.pem, patience)) as checking:
        identity = CARRIER.identity(AT, ANNA, US)
        assert "in time" in (await checking.verify([identity], [ANNA], US)).reason
        patience.set()
        assert await checking.verify([identity], [ANNA], US) == PASSED


async def test_servers_that_let_us_wait_hold_up_no_certificate_that_is_here(tmp_path: Path) -> None:
    """Who signs a call names the server: a few such calls a second, and no other was verified."""
    place = tmp_path / "certs" / "cert.example" / "shaken" / "a.pem"
    place.parent.mkdir(parents=True)
    place.write_bytes(CARRIER.pem)
    (tmp_path / "trust.pem").write_bytes(ROOT.pem)
    patience = asyncio.Event()
    web = FakeWeb(CARRIER.pem, patience)
    config = VerifierConfig(StoreConfig(tmp_path / "trust.pem", tmp_path / "certs"), wait_s=60)
    async with Verifier(config, cast(Web, web), cast(Clock, Now())) as checking:

        async def found(address: str) -> Attested:
            return await checking.verify([CARRIER.identity(address, ANNA, US)], [ANNA], US)

        slow = [asyncio.ensure_future(found(f"https://slow.example/{n}.pem")) for n in range(MAX_AT_ONCE)]
        await eventually(lambda: len(web.asked) == MAX_AT_ONCE)
        assert await found(AT) == PASSED
        assert "too many" in (await found("https://other.example/a.pem")).reason
        patience.set()
        assert await asyncio.gather(*slow) == [PASSED] * MAX_AT_ONCE
        assert await found("https://other.example/a.pem") == PASSED, "it was not asked for before"


async def test_certificates_of_a_directory_need_no_web(tmp_path: Path) -> None:
    place = tmp_path / "certs" / "cert.example" / "shaken" / "a.pem"
    place.parent.mkdir(parents=True)
    place.write_bytes(CARRIER.pem)
    (tmp_path / "secret.pem").write_bytes(CARRIER.pem)
    web = FakeWeb(CARRIER.pem)
    async with verifier(tmp_path, web, directory=tmp_path / "certs", fetch=False) as checking:
        assert await checking.verify([CARRIER.identity(AT, ANNA, US)], [ANNA], US) == PASSED
        for outside in (
            "https://cert.example/../../secret.pem",
            "https://../secret.pem",
            "https://cert.example/",
        ):
            found = await checking.verify([CARRIER.identity(outside, ANNA, US)], [ANNA], US)
            assert found.level == ""
    assert web.asked == []


async def test_a_revoked_certificate_has_failed_and_one_of_which_nobody_tells_has_not(tmp_path: Path) -> None:
    crls = tmp_path / "crls"
    crls.mkdir()
    config = VerifierConfig(StoreConfig(tmp_path / "trust.pem"), lists=ListConfig(crls))
    (tmp_path / "trust.pem").write_bytes(ROOT.pem)
    now = Now()
    web = FakeWeb(CARRIER.pem)
    async with Verifier(config, cast(Web, web), cast(Clock, now)) as checking:

        async def found() -> Attested:
            return await checking.verify([CARRIER.identity(AT, ANNA, US)], [ANNA], US)

        assert await found() == PASSED._replace(reason="no revocation list speaks for its certificate")
        (crls / "root.crl").write_bytes(ROOT.revoking())
        now.passed = 60.0
        assert await found() == PASSED, "asked again soon, as it was not certain"
        (crls / "root.crl").write_bytes(ROOT.revoking(CARRIER))
        assert await found() == PASSED
        now.passed = 120.0
        failed = await found()
        assert (failed.level, failed.verstat, failed.by) == ("", "TN-Validation-Failed", "verified")
        assert failed.reason.startswith("the certificate was revoked on ")
        (crls / "root.crl").write_bytes(ROOT.revoking())
        now.passed = 180.0
        assert await found() == PASSED
        assert web.asked == [AT], "a list is looked at each minute, the certificate fetched once an hour"


async def test_a_trust_list_that_is_not_there_proves_nothing(tmp_path: Path) -> None:
    async with verifier(tmp_path, FakeWeb(CARRIER.pem)) as checking:
        (tmp_path / "trust.pem").unlink()
        found = await checking.verify([CARRIER.identity(AT, ANNA, US)], [ANNA], US)
        assert "trust list" in found.reason


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1", True), ("127.0.0.1", False), ("10.0.0.1", False),
        ("100.64.0.1", False), ("fe80::1%eth0", False),
        ("169.254.169.254", False), ("224.0.0.1", False), ("0.0.0.0", False), ("::1", False),
        ("fd00::1", False), ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
    ],
)  # fmt: skip
def test_which_addresses_are_of_the_open_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/a.pem", "https://[::1]/a.pem", "https://localhost/a.pem", "https://[::ffff:127.0.0.1]/a",
        "https://2130706433/a.pem", "http://8.8.8.8/a.pem", "https://8.8.8.8:22/a.pem", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_nothing_is_fetched_from_our_own_network(address: str) -> None:
    async with Web() as web:
        with pytest.raises(Unproven, match=r"internet|no https|can not be asked") as refused:
            await web.get(address)
    assert "ConnectionRefused" not in str(refused.value)


async def test_name_servers_that_let_us_wait_hold_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who signs a call writes the name, and edits of the configuration waited for its server, too."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    asking, answered = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> None:
        asking.set()
        answered.wait(60)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with Web() as web:
        asked = [asyncio.ensure_future(web.get(f"https://{n}.slow.example/a.pem")) for n in range(10)]
        await eventually(asking.is_set)
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(int) == 0
        answered.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in told} == {Unproven}


async def test_what_is_no_name_is_unproven() -> None:
    async with Web() as web:
        for name in (f"{'x' * 64}.example", "a..example"):
            with pytest.raises(Unproven):
                await web.get(f"https://{name}/a.pem")


async def test_so_many_names_are_looked_up_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60) and [])
    names = _Names()
    waiting = [asyncio.ensure_future(names.resolve(f"{n}.example")) for n in range(LOOK_UPS)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many names"):
        await names.resolve("one.example")
    answered.set()
    assert await asyncio.gather(*waiting) == [[]] * LOOK_UPS
    assert await names.resolve("one.example") == []
    await names.close()
