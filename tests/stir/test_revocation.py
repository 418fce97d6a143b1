"""Certificates that were taken back: whose list counts for whom, and where lists come from."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.clock import Clock
from edge.stir import chain, revocation
from edge.stir.errors import Unproven, Wrong
from edge.stir.lists import ListConfig, Lists
from edge.stir.web import Web
from tests.stir.test_verifier import Now
from tests.support.server import eventually
from tests.support.signer import Party

LIST = "https://lists.example/carriers.crl"
ROOT = Party("root", authority=True)
ADMINISTRATOR = Party("administrator", authority=True)
BETWEEN = Party("between", ROOT, authority=True)
CARRIER = Party("carrier", BETWEEN, list_at=LIST)
OTHER = Party("other", BETWEEN)
TRUSTED = [ROOT.certificate, ADMINISTRATOR.certificate]
WAY = chain.signer(chain.read(CARRIER.pem), TRUSTED).way


def doubt(*lists: bytes, days: float = 0) -> str:
    now = datetime.now(UTC) + timedelta(days=days)
    return revocation.check(WAY, [revocation.read(one) for one in lists], TRUSTED, now)


def test_the_way_ends_at_the_trust_list() -> None:
    assert (CARRIER.certificate, BETWEEN.certificate, ROOT.certificate) == WAY


@pytest.mark.parametrize(
    ("crl", "why"),
    [
        (BETWEEN.revoking(OTHER, CARRIER), "the certificate was revoked on "),
        (BETWEEN.revoking(CARRIER, delta=True), "the certificate was revoked on "),
        (BETWEEN.revoking(CARRIER, days=-1), "the certificate was revoked on "),
        (ROOT.revoking(BETWEEN), "an authority above the certificate was revoked on "),
        (ADMINISTRATOR.revoking(OTHER, CARRIER, indirect=True), "the certificate was revoked on "),
    ],
    ids=["issuer's", "delta", "out of date", "authority's", "administrator's"],
)
def test_what_was_revoked_is_wrong(crl: bytes, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        doubt(crl)


def test_whom_the_certificate_names_revokes_it_even_if_the_list_does_not_say_so() -> None:
    named = Party("named", BETWEEN, list_at=LIST, revoker=ADMINISTRATOR)
    listing = revocation.read(ADMINISTRATOR.revoking(named, CARRIER, indirect=True, said=False))
    way = chain.signer(chain.read(named.pem), TRUSTED).way
    with pytest.raises(Wrong, match="the certificate was revoked"):
        revocation.check(way, [listing], TRUSTED, datetime.now(UTC))
    assert revocation.check(WAY, [listing], TRUSTED, datetime.now(UTC)).startswith("no revocation list")


@pytest.mark.parametrize(
    "crl",
    [
        Party("between", authority=True).revoking(CARRIER),
        Party("administrator", authority=True).revoking(CARRIER, indirect=True),
        OTHER.revoking(CARRIER, indirect=True),
        ROOT.revoking(CARRIER),
        BETWEEN.revoking(OTHER, delta=True),
    ],
    ids=["same name", "no authority of ours", "a carrier", "the number is another issuer's", "delta"],
)
def test_other_lists_say_nothing_of_it(crl: bytes) -> None:
    assert doubt(crl) == "no revocation list speaks for its certificate"


def test_a_list_that_does_not_name_it_clears_it_until_the_next_is_due() -> None:
    assert doubt() == "no revocation list speaks for its certificate"
    assert doubt(BETWEEN.revoking(OTHER)) == doubt(ADMINISTRATOR.revoking(OTHER, indirect=True)) == ""
    assert "out of date since" in doubt(BETWEEN.revoking(OTHER), days=8)
    assert doubt(BETWEEN.revoking(days=-1), BETWEEN.revoking()) == ""


def test_what_is_no_list_is_told() -> None:
    for data in (b"", b"-----BEGIN X509 CRL-----\nx\n-----END X509 CRL-----\n", CARRIER.pem):
        with pytest.raises(Unproven, match="can not be read"):
            revocation.read(data)


def test_where_lists_are() -> None:
    http = Party("carrier", ROOT, list_at="http://lists.example/a.crl")
    ways = [CARRIER, http, CARRIER, *(Party("c", ROOT, list_at=f"{LIST}?{n}") for n in range(9))]
    found = revocation.places(party.certificate for party in ways)
    assert found == [LIST, f"{LIST}?0", f"{LIST}?1", f"{LIST}?2"]


# -- where they come from ---------------------------------------------------------------------------------


class FakeWeb:
    """Has one list, when it is let go."""

    def __init__(self, crl: bytes | None) -> None:
        self.crl = crl
        self.asked: list[str] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def get(self, address: str, most: int) -> bytes:
        self.asked.append(address)
        await self.go_on.wait()
        if self.crl is None:
            raise Unproven("nobody there")
        return self.crl


class World:
    """Lists with clocks to set."""

    def __init__(
        self, directory: Path, crl: bytes | None = None, hosts: Sequence[str] = ("lists.example",)
    ) -> None:
        self.web, self.now = FakeWeb(crl), Now()
        config = ListConfig(directory, frozenset(hosts), patience_s=0.05)
        self.lists = Lists(config, cast(Web, self.web), cast(Clock, self.now))

    async def doubt(self) -> str:
        return await self.lists.doubt(WAY, TRUSTED)


async def test_files_are_read_in_both_forms_and_again_when_they_change(tmp_path: Path) -> None:
    world = World(tmp_path, hosts=())
    assert "no revocation list" in await world.doubt()
    crl = BETWEEN.revoking(OTHER)
    (tmp_path / "a.pem").write_bytes(x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM))
    (tmp_path / "broken.crl").write_bytes(b"x")
    assert await world.doubt() == ""
    (tmp_path / "b.crl").write_bytes(BETWEEN.revoking(CARRIER))
    with pytest.raises(Wrong, match="revoked on"):
        await world.doubt()
    (tmp_path / "b.crl").unlink()
    assert await world.doubt() == ""
    assert world.web.asked == []


async def test_a_list_of_the_web_is_kept_for_a_while_and_the_last_one_while_no_new_one_comes(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, BETWEEN.revoking(CARRIER))
    for _ in range(2):
        with pytest.raises(Wrong, match="revoked on"):
            await world.doubt()
    assert world.web.asked == [LIST]
    world.now.passed, world.web.crl = 600.0, None
    with pytest.raises(Wrong, match="revoked on"):
        await world.doubt()
    world.now.passed, world.web.crl = 960.0, BETWEEN.revoking()
    assert await world.doubt() == ""
    assert world.web.asked == [LIST] * 3


async def test_the_new_list_is_not_waited_for_while_the_last_one_is_not_much_too_old(tmp_path: Path) -> None:
    world = World(tmp_path, BETWEEN.revoking())
    assert await world.doubt() == ""
    world.now.passed, world.web.crl = 300.0, BETWEEN.revoking(CARRIER)
    world.web.go_on.clear()
    assert await world.doubt() == ""
    world.web.go_on.set()
    await eventually(lambda: not world.lists._asked)
    with pytest.raises(Wrong, match="revoked on"):
        await world.doubt()
    assert world.web.asked == [LIST] * 2


async def test_the_new_list_is_waited_for_after_a_long_silence(tmp_path: Path) -> None:
    world = World(tmp_path, BETWEEN.revoking())
    assert await world.doubt() == ""
    world.now.passed, world.web.crl = 600.0, BETWEEN.revoking(CARRIER)
    with pytest.raises(Wrong, match="revoked on"):
        await world.doubt()


async def test_a_list_that_is_due_soon_is_fetched_again_then(tmp_path: Path) -> None:
    world = World(tmp_path, BETWEEN.revoking(days=0))
    assert "out of date" in await world.doubt()
    world.web.crl, world.now.passed = BETWEEN.revoking(), 61.0
    assert await world.doubt() == ""


async def test_an_address_that_is_none_is_no_place(tmp_path: Path) -> None:
    party = Party("carrier", BETWEEN, list_at="https://[bad/")
    way = chain.signer(chain.read(party.pem), TRUSTED).way
    assert revocation.places(way) == []
    world = World(tmp_path, BETWEEN.revoking())
    assert await world.lists.doubt(way, TRUSTED) == "no revocation list speaks for its certificate"
    assert world.web.asked == []


async def test_nobody_waits_long_for_a_list(tmp_path: Path) -> None:
    world = World(tmp_path, BETWEEN.revoking(CARRIER))
    world.web.go_on.clear()
    assert "did not come in time" in await world.doubt()
    world.web.go_on.set()
    with pytest.raises(Wrong, match="revoked on"):
        await world.doubt()
    assert world.web.asked == [LIST]
    await world.lists.close()


async def test_what_can_not_be_had_leaves_a_doubt(tmp_path: Path) -> None:
    assert (await World(tmp_path, None).doubt()).endswith("nobody there")
    other = World(tmp_path, BETWEEN.revoking(CARRIER), hosts=("another.example",))
    assert (await other.doubt()).endswith("its host is not one of stir.crl_hosts")
    assert other.web.asked == []
