"""Behind NAT: who stands outside is told the advertised address, who stands on our side our own."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.integration.test_crossings import Scene
from tests.support.raw_phone import RawPhone, Said
from tests.support.server import running_server, settings

OUTSIDE = "203.0.113.7"


def told(said: Said) -> set[str]:
    """The addresses of ours in a message: those of Contact, and of the description."""
    contact = said.get("Contact").partition("@")[2].partition(":")[0]
    return {contact, *(line.rpartition(" ")[2] for line in said.body.splitlines() if line.startswith("c="))}


async def test_only_who_stands_outside_is_told_the_advertised_address(tmp_path: Path) -> None:
    caller, near = RawPhone(("", 0)), RawPhone(("", 0))
    behind_nat = {
        "EDGE_SIP__ADVERTISED_ADDRESS": OUTSIDE,
        "EDGE_SIP__LOCAL_NETWORKS": json.dumps([f"{near.host}/32"]),
    }
    async with running_server(tmp_path, **behind_nat) as server:
        caller.server = near.server = server.sip["udp"]
        await server.api.post("trunks", {"name": "carrier", "addresses": [f"{caller.host}/32"]})
        with caller, near:
            scene = Scene(server, caller, near, near)
            await scene.route(near)
            call = await caller.invite(scene.number, caller.sdp())
            invited = await near.hear("INVITE")
            own = server.sip["udp"][0]
            assert told(invited) == {
                own,
                "127.0.0.1",
            }  # the kernel's choice toward loopback, where RTP arrives
            assert f"@{own}>" in invited.get("From") and f" {own}:" in invited.get("Via")
            await near.answer(invited, 200, near.sdp())
            assert told(await call.hear("200")) == {OUTSIDE}
            await call.request("ACK")
            await near.say(invited, "BYE", 1)
            await caller.hear("BYE")


async def test_a_check_names_who_seems_to_stand_on_our_side(tmp_path: Path) -> None:
    overrides = {"EDGE_SIP__ADVERTISED_ADDRESS": OUTSIDE, "EDGE_SIP__LOCAL_NETWORKS": '["10.1.0.0/16"]'}
    async with running_server(tmp_path, **overrides) as server:
        for name, host in (("LAN", "192.168.50.3"), ("VPN", "10.1.2.3"), ("outside", "8.8.8.8")):
            await server.api.post("targets", {"name": name, "address": f"sip:sales@{host}"})
    check = [str(Path(sys.executable).with_name("edge")), "check"]
    own = settings(tmp_path, "127.0.0.1", overrides)
    ran = await asyncio.to_thread(subprocess.run, check, env=own, capture_output=True, text=True, check=False)
    told_wrong = [line for line in ran.stdout.splitlines() if f"is told {OUTSIDE}" in line]
    assert len(told_wrong) == 1 and "192.168.50.3" in told_wrong[0]
    assert "add its network to sip.local_networks" in ran.stdout
