"""Who calls whom, as the caller's carrier says it and as the buyer's PBX is told: through the real server."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api import Json
from tests.support.raw_phone import RawPhone, Said
from tests.support.server import Server, finished, flawless_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

_digits = itertools.count(18005550700)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("identity")) as running:
        yield running


@dataclass
class Scene:
    """A carrier and a buyer's PBX, both by hand."""

    server: Server
    carrier: RawPhone
    pbx: RawPhone

    async def trunk(self, **fields: Any) -> Json:
        """The carrier's trunk."""
        body = {"name": self.carrier.host, "addresses": [f"{self.carrier.host}/32"], **fields}
        made: Json = await self.server.api.post("trunks", body)
        return made

    async def number(self, **target: Any) -> str:
        """A number of ours that leads to the PBX, as a target with these fields."""
        api, e164 = self.server.api, f"+{next(_digits)}"
        address = {"address": f"sip:sales@{self.pbx.address}"}
        made = await api.post("targets", {"name": e164, **address, **target})
        routes = {"targets": [{"target_id": made["id"]}]}
        campaign = await api.post("campaigns", {"name": e164, "routes": routes})
        await api.post("numbers", {"e164": e164, "campaign_id": campaign["id"]})
        return e164

    async def offered(self, number: str, *headers: str) -> Said:
        """The INVITE that the PBX gets for one from the carrier; it is then declined."""
        call = await self.carrier.invite(number, self.carrier.sdp(), *headers)
        invite = await self.pbx.hear("INVITE")
        await self.pbx.answer(invite, 603)
        await self.pbx.hear("ACK")
        await call.refused("480")
        return invite

    async def record(self, number: str) -> Json:
        """The only call of a number, finished."""
        return (await finished(self.server.api, number=number))[0]


@pytest_asyncio.fixture(loop_scope="module")
async def scene(server: Server) -> AsyncIterator[Scene]:
    at = server.sip["udp"]
    with RawPhone(at) as carrier, RawPhone(at) as pbx:
        yield Scene(server, carrier, pbx)


async def test_a_trusted_pbx_is_told_everything_in_its_own_way(scene: Scene) -> None:
    settings: dict[str, Any] = {
        "trusted": True, "remote_party_id": True, "number_format": "national", "from_host": "edge.example",
        "ruri_host": "pbx.example", "contact_user": "acme", "diversion": "make", "history_info": "make",
        "header_allow": ["X-Acme-*"],
    }  # fmt: skip
    await scene.trunk()
    number = await scene.number(sip=settings)
    said = await scene.offered(
        number,
        "P-Asserted-Identity: <tel:+12125550177>, <sip:2125550188@carrier.example;user=phone>",
        "Diversion: <sip:+12125550199@c>;reason=no-answer",
        "X-Acme-Campaign: 7",
        "X-Other: 8",
    )
    assert said.start == "INVITE sip:sales@pbx.example SIP/2.0"
    assert said.get("From").startswith("<sip:2125550188@edge.example>;tag=")
    assert said.get("P-Asserted-Identity") == "<sip:2125550188@edge.example>"
    assert said.get("Remote-Party-ID").startswith("<sip:2125550188@edge.example>;party=calling;privacy=off")
    assert said.get("Contact").startswith("<sip:acme@")
    assert said.all("Diversion") == [
        f"<sip:{number[2:]}@edge.example>;reason=unconditional;counter=1",
        "<sip:+12125550199@c>;reason=no-answer",
    ]
    assert [value.partition(";")[2] for value in said.all("History-Info")] == ["index=1", "index=1.1;mp=1"]
    assert (said.get("X-Acme-Campaign"), said.all("X-Other"), said.all("Privacy")) == ("7", [], [])
    assert not set(said.get("User-Agent")) & set("0123456789")
    assert (await scene.record(number))["caller"] == "+12125550188"


async def test_a_withheld_number_reaches_nobody_who_is_not_trusted(scene: Scene) -> None:
    private = ("P-Asserted-Identity: <sip:+12125550177@c>", "Privacy: id", "User-to-User: 00;encoding=hex")
    await scene.trunk()
    number = await scene.number(sip={"header_allow": []})
    said = await scene.offered(number, *private)
    assert said.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert said.all("P-Asserted-Identity") == said.all("User-to-User") == []
    assert said.get("Privacy") == "id"
    assert not any("2125550177" in line for line in said.lines)
    assert (await scene.record(number))["caller"] is None
    trusted = await scene.number(sip={"trusted": True})
    said = await scene.offered(trusted, *private)
    assert said.get("P-Asserted-Identity").startswith("<sip:+12125550177@")
    assert (said.get("Privacy"), said.get("User-to-User")) == ("id", "00;encoding=hex")


async def test_each_trunk_says_where_numbers_are_and_how_they_are_written(scene: Scene) -> None:
    await scene.trunk(
        caller_number_from=["from"], called_number_from="diversion", number_format_in="e164", country="DE"
    )
    number = await scene.number()
    call = await scene.carrier.invite(
        "+4930555",
        scene.carrier.sdp(),
        "P-Asserted-Identity: <sip:+12125550177@evil>",
        f"Diversion: <sip:{number[1:]}@carrier>",
    )
    said = await scene.pbx.hear("INVITE")
    await scene.pbx.answer(said, 603)
    await call.refused("480")
    assert said.get("From").startswith("<sip:+12125550100@")
    assert (await scene.record(number))["caller"] == "+12125550100"


WRITTEN = (
    "sip:{e164}@{edge}", "sip:{digits}@{edge}", "sip:{national}@{edge}", "sip:%2B{digits}@{edge}",
    "sip:{e164};npdi;rn=+13125550000@{edge};user=phone", "sip:+1-{dashed}@{edge};user=phone",
    "tel:+1-{dashed}", "tel:{local};phone-context=+1800",
)  # fmt: skip


async def test_however_a_carrier_writes_it_the_number_that_was_dialled_is_found(scene: Scene) -> None:
    """In the Request-URI, else in To, or where the trunk says."""
    await scene.trunk(called_number_from="p_called_party_id")
    e164 = await scene.number()
    edge, national = scene.server.address(), e164[2:]
    parts = {
        "e164": e164, "digits": e164[1:], "national": national, "local": national[3:], "edge": edge,
        "dashed": f"{national[:3]}-{national[3:6]}-{national[6:]}",
    }  # fmt: skip
    uris = [form.format(**parts) for form in WRITTEN]
    ways = [(uri, "sip:someone@x", "") for uri in uris]
    ways += [(f"sip:{edge}", uri, "") for uri in uris]
    ways += [("sip:+18005550999@x", "sip:+18005550998@x", f"P-Called-Party-ID: <{uri}>") for uri in uris]
    for at, (uri, to, more) in enumerate(ways):
        lines = [
            f"Via: SIP/2.0/UDP {scene.carrier.address};branch=z9hG4bKway{at};rport", "Max-Forwards: 70",
            f"From: <sip:+12125550100@x>;tag=w{at}", f"To: <{to}>", f"Call-ID: way-{at}@{scene.carrier.host}",
            "CSeq: 1 INVITE", f"Contact: <sip:c@{scene.carrier.address}>", *([more] if more else []),
        ]  # fmt: skip
        await scene.carrier.send(f"INVITE {uri} SIP/2.0", lines, scene.carrier.sdp())
        said = await scene.pbx.hear("INVITE")
        await scene.pbx.answer(said, 603)
        await scene.pbx.hear("ACK")


async def test_a_target_s_address_may_have_what_its_pbx_tells_customers_by(scene: Scene) -> None:
    await scene.trunk()
    number = await scene.number(address=f"sip:sales@{scene.pbx.address};language=en-US;customer=7")
    said = await scene.offered(number)
    assert said.start == f"INVITE sip:sales@{scene.pbx.address};language=en-US;customer=7 SIP/2.0"


async def test_a_signed_identity_goes_on_only_to_the_number_that_was_dialled(scene: Scene) -> None:
    signed = "Identity: eyJhbGciOiJFUzI1NiJ9..sig;info=<https://c.example/a.cer>;alg=ES256;ppt=shaken"
    await scene.trunk()
    same = await scene.number(address=f"sip:[number]@{scene.pbx.address}")
    assert (await scene.offered(same, signed)).get("Identity") == signed.removeprefix("Identity: ")
    other = await scene.number()
    assert (await scene.offered(other, signed)).all("Identity") == []


async def test_the_target_may_be_told_the_caller_s_call_id(scene: Scene) -> None:
    await scene.trunk()
    plain = await scene.offered(await scene.number())
    told = await scene.offered(await scene.number(sip={"call_id": "correlate"}))
    asked = [said.get("Call-ID") for said in scene.carrier.log]
    assert plain.get("Call-ID") not in asked and not plain.get("X-Call-ID")
    assert told.get("Call-ID") not in asked and told.get("X-Call-ID") == asked[-1]


async def test_both_legs_may_have_one_call_id_though_one_phone_is_both_ends(scene: Scene) -> None:
    """One socket, one Call-ID, two dialogs: what is said in one never lands in the other."""
    await scene.trunk()
    phone = scene.pbx = scene.carrier
    number = await scene.number(sip={"call_id": "keep"})
    call = await phone.invite(number, phone.sdp())
    invite = await phone.hear("INVITE")
    assert invite.get("Call-ID") == call.call_id
    await phone.answer(invite, 200, phone.sdp(), tag="other-end")
    await call.hear("200")
    await call.request("ACK")
    ours = invite.get("From").partition(";tag=")[2]
    assert ours != call.remote_tag
    await call.request("INFO", "Signal=5\r\n", "Content-Type: application/dtmf-relay")
    heard = await phone.hear("INFO")
    assert (heard.get("From").partition(";tag=")[2], heard.get("To").partition(";tag=")[2]) == (
        ours, "other-end",
    )  # fmt: skip
    await phone.answer(heard, 200)
    await call.request("BYE")
    bye = await phone.hear("BYE")
    assert bye.get("To").endswith(";tag=other-end")
    await phone.answer(bye, 200)
    record = await scene.record(number)
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    assert [one["outcome"] for one in record["attempts"]] == ["answered"]


async def test_parts_beside_the_offer_go_on_to_a_target_that_wants_them(scene: Scene) -> None:
    parts = {
        "application/sdp": scene.carrier.sdp(),
        "application/isup": "an IAM",
        "application/pidf+xml": "<presence/>",
    }
    must = {"application/isup": "Content-Disposition: signal;handling=required\r\n"}
    lines = [
        f"--b1\r\nContent-Type: {kind}\r\n{must.get(kind, '')}\r\n{body}\r\n" for kind, body in parts.items()
    ]
    body = "".join(lines) + "--b1--\r\n"
    await scene.trunk()
    number = await scene.number(sip={"body_allow": ["application/isup"]})
    call = await scene.carrier.invite(number, body, "Content-Type: multipart/mixed;boundary=b1")
    invite = await scene.pbx.hear("INVITE")
    assert invite.get("Content-Type").startswith("multipart/mixed;boundary=")
    assert f"Content-Type: application/isup\r\n{must['application/isup']}\r\nan IAM\r\n" in invite.body
    assert invite.audio_port and "<presence/>" not in invite.body
    await scene.pbx.answer(invite, 200, scene.pbx.sdp())
    assert (await call.hear("200")).audio_port
    await call.request("ACK")
    await call.request("BYE")
    await scene.pbx.answer(await scene.pbx.hear("BYE"), 200)
    assert (await scene.record(number))["disposition"] == "connected"
    plain = await scene.carrier.invite(
        await scene.number(), body, "Content-Type: multipart/mixed;boundary=b1"
    )
    invite = await scene.pbx.hear("INVITE")
    assert invite.get("Content-Type") == "application/sdp" and "IAM" not in invite.body
    await scene.pbx.answer(invite, 603)
    await plain.refused("480")
