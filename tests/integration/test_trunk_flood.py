"""A trunk that sends far more calls than it may: each gets 503, most of them unread."""

from pathlib import Path

from tests.integration.test_identity import Scene
from tests.support.raw_phone import RawPhone
from tests.support.server import eventually, running_server


async def test_a_flood_of_calls_is_turned_away_with_retry_after_1(tmp_path: Path) -> None:
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as pbx:
        async with running_server(tmp_path) as server:
            carrier.server = pbx.server = server.sip["udp"]
            scene, api = Scene(server, carrier, pbx), server.api
            await scene.trunk(max_cps=1)
            number = await scene.number()
            for _ in range(20):
                await carrier.invite(number, carrier.sdp())

            async def turned_away() -> bool:
                return bool(await api.metric('edge_sip_events_total{event="turned_away"}') >= 10)

            await eventually(turned_away)
            refused = await carrier.hear("SIP/2.0 503")
            assert refused.get("Retry-After") == "1"
            assert [each["reason"] for each in (await api.get("sip/refused"))["items"]] == [
                f"max_cps 1 of trunk {carrier.host}"
            ]
