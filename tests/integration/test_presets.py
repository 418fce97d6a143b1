"""A carrier that only its preset knows: turned away with the remedy, then served by a trunk that names it."""

from pathlib import Path

from tests.integration.test_identity import Scene
from tests.support.raw_phone import RawPhone
from tests.support.server import eventually, running_server


async def test_the_preset_that_would_serve_a_carrier_does(tmp_path: Path) -> None:
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as pbx:
        own = tmp_path / "own.toml"
        text = f'[local]\ntitle = "Local carrier"\nas_of = 2026-11-28\naddresses = ["{carrier.host}/32"]\n'
        own.write_text(text + 'caller_number_from = ["from"]\nsip = { contact_user = "acme" }\n')
        async with running_server(
            tmp_path, EDGE_SIP__PRESETS=str(own), EDGE_SIP__UNKNOWN_SOURCES="403"
        ) as server:
            carrier.server = pbx.server = server.sip["udp"]
            scene = Scene(server, carrier, pbx)
            number = await scene.number()
            await (await carrier.invite(number, carrier.sdp())).refused("403")
            (refused,) = await eventually(lambda: _refused(scene))
            assert "preset local would" in refused["remedy"]
            await server.api.post("trunks", {"name": "carrier", "preset": "local"})
            await scene.offered(number, "P-Asserted-Identity: <sip:+12125550177@evil>")
            assert (await scene.record(number))["caller"] == "+12125550100"


async def _refused(scene: Scene) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await scene.server.api.get("sip/refused"))["items"]
    return found


async def test_a_carrier_s_habits_act_on_the_wire_and_can_be_overridden(tmp_path: Path) -> None:
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as stranger:
        own = tmp_path / "own.toml"
        text = f'[skyetel]\naddresses = ["{carrier.host}/32"]\nproxy = "sip:{carrier.address}"\n'
        own.write_text(text + 'called_number_from = "to"\n')
        async with running_server(
            tmp_path, EDGE_SIP__PRESETS=str(own), EDGE_SIP__UNKNOWN_SOURCES="403"
        ) as server:
            carrier.server = stranger.server = server.sip["udp"]
            scene = Scene(server, carrier, carrier)
            trunk = await server.api.post("trunks", {"name": "carrier", "preset": "skyetel"})
            assert (trunk["proxy"], trunk["sip"]["number_format"]) == (f"sip:{carrier.address}", "e164")
            number = await scene.number(address="+442071838750", trunk_ids=[trunk["id"]])
            hidden = ("P-Asserted-Identity: <sip:12125550177@c>", "Privacy: id")

            call = await carrier.invite(number.removeprefix("+"), carrier.sdp(), *hidden)
            out = await carrier.hear("INVITE")
            assert out.start.startswith("INVITE sip:442071838750@")
            assert out.get("P-Asserted-Identity").startswith("<sip:12125550177@")
            await carrier.answer(out, 603)
            await call.refused("480")
            await (await stranger.invite(number, stranger.sdp())).refused("403")

            changes = {"sip": {"number_format": "e164_plus", "trusted": False, "tech_prefix": "12345678*"}}
            await server.api.patch(f"trunks/{trunk['id']}", changes)
            call = await carrier.invite(number.removeprefix("+"), carrier.sdp(), *hidden)
            out = await carrier.hear("INVITE")
            assert out.start.startswith("INVITE sip:12345678*+442071838750@")
            assert out.get("P-Asserted-Identity") == ""
            await carrier.answer(out, 603)
            await call.refused("480")
