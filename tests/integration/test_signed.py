"""Callers whose carriers sign their calls, through the real server and a real https host of certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.integration.test_identity import Scene
from tests.support.certificates import Authority
from tests.support.ports import own_address
from tests.support.raw_phone import RawPhone
from tests.support.server import Server, flawless_server
from tests.support.signer import Party

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANNA = "+12125550100"
ROOT = Party("root", authority=True)
ADMINISTRATOR = Party("administrator", authority=True)
CARRIER = Party("carrier", ROOT)


@cache
def revoked(host: str) -> Party:
    """A carrier whose certificate says that the list is at this host, and is on it."""
    return Party("revoked", ROOT, list_at=f"https://{host}/all.crl")


@asynccontextmanager
async def certificate_host(directory: Path) -> AsyncIterator[str]:
    """An https server that has the carrier's certificate, one that was revoked, and a list of that; its
    address."""
    host = own_address()
    made = Authority(directory).certificate("host", f"IP:{host}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(str(made.certificate), str(made.private_key))

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=CARRIER.pem)

    async def serve_revoked(request: web.Request) -> web.Response:
        return web.Response(body=revoked(request.host).pem)

    async def serve_list(request: web.Request) -> web.Response:
        return web.Response(body=ADMINISTRATOR.revoking(revoked(request.host), indirect=True))

    over = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    application = web.Application()
    application.add_routes([web.get("/carrier.pem", serve), web.get("/slow.pem", wait)])
    application.add_routes([web.get("/revoked.pem", serve_revoked), web.get("/all.crl", serve_list)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=context)
    await site.start()
    try:
        yield f"https://{host}:{runner.addresses[0][1]}"
    finally:
        over.set()
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hosted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Server, str]]:
    """A server that trusts the root, and where the certificates are."""
    directory = tmp_path_factory.mktemp("signed")
    (directory / "trust.pem").write_bytes(ROOT.pem + ADMINISTRATOR.pem)
    async with certificate_host(directory) as at:
        settings = {
            "EDGE_STIR__TRUST": str(directory / "trust.pem"),
            "EDGE_STIR__PRIVATE_HOSTS": at.removeprefix("https://").partition(":")[0],
            "EDGE_STIR__CRL_HOSTS": at.removeprefix("https://").partition(":")[0],
            "EDGE_STIR__WAIT_S": "3",
            "EDGE_SIP__TLS_TRUST": str(directory / "authority.pem"),
        }
        async with flawless_server(directory, **settings) as running:
            yield running, at


@pytest_asyncio.fixture(loop_scope="module")
async def scene(hosted: tuple[Server, str]) -> AsyncIterator[Scene]:
    server = hosted[0]
    with RawPhone(server.sip["udp"]) as carrier, RawPhone(server.sip["udp"]) as pbx:
        made = Scene(server, carrier, pbx)
        await made.trunk()
        yield made


async def test_a_signed_call_is_verified_and_told_to_the_buyer(
    scene: Scene, hosted: tuple[Server, str]
) -> None:
    number = await scene.number(headers={"X-Attestation": "[attestation]"})
    identity = CARRIER.identity(f"{hosted[1]}/carrier.pem", ANNA, number, "B")
    said = await scene.offered(number, f"Identity: {identity}", "P-Attestation-Indicator: A")
    assert said.get("X-Attestation") == "B"
    record = await scene.record(number)
    assert (record["attestation"], record["verstat"]) == ("B", "TN-Validation-Passed")
    assert record["attestation_by"] == "verified"
    uncertain = "no revocation list speaks for its certificate"
    assert record["decision"]["steps"][0] == {"step": "identity", "result": "B", "reason": uncertain}


async def test_a_call_that_was_signed_for_another_number_goes_on_without_attestation(
    scene: Scene, hosted: tuple[Server, str]
) -> None:
    number = await scene.number()
    identity = CARRIER.identity(f"{hosted[1]}/carrier.pem", ANNA, "+18005550999")
    await scene.offered(number, f"Identity: {identity}", "P-Attestation-Indicator: A")
    record = await scene.record(number)
    assert (record["attestation"], record["verstat"]) == (None, "TN-Validation-Failed")
    assert "another called number" in record["decision"]["steps"][0]["reason"]


async def test_a_call_signed_with_a_revoked_certificate_goes_on_without_attestation(
    scene: Scene, hosted: tuple[Server, str]
) -> None:
    number = await scene.number()
    signer = revoked(hosted[1].removeprefix("https://"))
    identity = signer.identity(f"{hosted[1]}/revoked.pem", ANNA, number)
    await scene.offered(number, f"Identity: {identity}", "P-Attestation-Indicator: A")
    record = await scene.record(number)
    assert (record["attestation"], record["verstat"]) == (None, "TN-Validation-Failed")
    step = record["decision"]["steps"][0]
    assert (step["step"], step["result"]) == ("identity", "not verified")
    assert step["reason"].startswith("the certificate was revoked on ")


@pytest.mark.parametrize("place", ["/gone.pem", "/slow.pem"])
async def test_without_a_certificate_the_carrier_s_word_stays(
    scene: Scene, hosted: tuple[Server, str], place: str
) -> None:
    number = await scene.number()
    identity = CARRIER.identity(hosted[1] + place, ANNA, number)
    await scene.offered(number, f"Identity: {identity}", "P-Attestation-Indicator: C")
    record = await scene.record(number)
    assert (record["attestation"], record["attestation_by"]) == ("C", "carrier")
    assert record["decision"]["steps"][0]["reason"]


async def test_a_floor_declines_who_is_attested_lower(scene: Scene, hosted: tuple[Server, str]) -> None:
    number, api = await scene.number(), scene.server.api
    (found,) = (await api.get("numbers", e164=number))["items"]
    await api.post("blocks", {"pattern": "attestation:B", "campaign_id": found["campaign_id"]})
    call = await scene.carrier.invite(number, scene.carrier.sdp(), "P-Attestation-Indicator: C")
    await call.refused("603")
    record = await scene.record(number)
    assert record["disposition"] == "rejected_attestation"
    assert "wants attestation:B, this caller has C" in record["disposition_detail"]
    call = await scene.carrier.invite(number, scene.carrier.sdp(), "P-Attestation-Indicator: A")
    await scene.pbx.answer(await scene.pbx.hear("INVITE"), 603)
    await call.refused("480")
