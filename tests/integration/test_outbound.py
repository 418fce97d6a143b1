"""Toll fraud: what trunks with limits let out, through the real server and over a restart."""

from pathlib import Path

from tests.integration.test_identity import Scene
from tests.support.raw_phone import RawPhone
from tests.support.server import eventually, running_server

LONDON = "+442071838750"


async def test_a_trunk_lets_out_what_its_limits_allow(tmp_path: Path) -> None:
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as gateway:
        scene: Scene
        async with running_server(tmp_path) as server:
            carrier.server = gateway.server = server.sip["udp"]
            scene, api = Scene(server, carrier, gateway), server.api
            limits = {"destinations": ["US", "+4420"], "max_calls": 1, "max_minutes_per_day": 1000}
            trunk = await scene.trunk(proxy=f"sip:{gateway.address}", outbound=limits)
            path = f"trunks/{trunk['id']}"
            paris = await scene.number(address="+33142685300", trunk_ids=[trunk["id"]])
            await (await carrier.invite(paris, carrier.sdp())).refused("480")
            record = await scene.record(paris)
            assert (
                record["attempts"][0]["reason"]
                == f"limit of trunk {carrier.host}: FR is not among its destinations"
            )
            steps = {step["step"]: step for step in record["decision"]["steps"]}
            assert steps["trunk"]["reason"] == f"{carrier.host}: FR is not among its destinations"

            london = await scene.number(address=LONDON, trunk_ids=[trunk["id"]])
            call = await carrier.invite(london, carrier.sdp())
            invite = await gateway.hear("INVITE")
            assert invite.start.startswith(f"INVITE sip:{LONDON}@")
            await gateway.answer(invite, 200, gateway.sdp())
            await call.hear("200")
            await call.request("ACK")
            assert (await api.get(path))["outbound_use"]["calls"] == 1
            second = await scene.number(address=LONDON, trunk_ids=[trunk["id"]])
            await (await carrier.invite(second, carrier.sdp())).refused("480")
            assert "1 calls at once" in (await scene.record(second))["attempts"][0]["reason"]
            await call.request("BYE")
            await gateway.answer(await gateway.hear("BYE"), 200)

            async def given_back() -> bool:
                use = (await api.get(path))["outbound_use"]
                return bool(use["calls"] == 0)

            await eventually(given_back)
            await api.patch(path, {"outbound": {"max_minutes_per_day": 0}})
            await server.stop()
        async with running_server(tmp_path) as server:
            carrier.server = server.sip["udp"]
            scene = Scene(server, carrier, gateway)
            await (await carrier.invite(london, carrier.sdp())).refused("480")

            async def refused_again() -> bool:
                calls = (await server.api.get("calls", number=london))["items"]
                reasons = [attempt["reason"] for each in calls for attempt in each["attempts"]]
                return any("0 minutes a day" in reason for reason in reasons)

            await eventually(refused_again)


async def test_minutes_count_while_a_call_is_not_accepted_yet(tmp_path: Path) -> None:
    """It was answered, and the carrier bills it: who never takes the call would pass every limit."""
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as gateway:
        async with running_server(tmp_path) as server:
            carrier.server = gateway.server = server.sip["udp"]
            scene = Scene(server, carrier, gateway)
            trunk = await scene.trunk(proxy=f"sip:{gateway.address}", outbound={"max_minutes_per_day": 1000})
            london = await scene.number(address=LONDON, trunk_ids=[trunk["id"]], accept_key="1")
            await carrier.invite(london, carrier.sdp())
            await gateway.answer(await gateway.hear("INVITE"), 200, gateway.sdp())
            await gateway.hear("ACK")

            async def counted() -> bool:
                use = (await server.api.get(f"trunks/{trunk['id']}"))["outbound_use"]
                return bool(use["minutes"] > 0)

            await eventually(counted)
