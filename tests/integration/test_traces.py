"""What remains of a call's SIP messages: over the API, as a capture file, and at a Homer collector."""

from pathlib import Path

from tests.integration.test_identity import Scene
from tests.support.homer import Homer
from tests.support.raw_phone import Outgoing, RawPhone
from tests.support.server import eventually, running_server


async def test_a_call_s_messages_are_kept_and_copied_without_secrets(tmp_path: Path) -> None:
    with Homer() as homer, RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as pbx:
        settings = {"EDGE_SIP__HEP": f"udp://{homer.host}:{homer.port}", "EDGE_SIP__HEP_ID": "42"}
        async with running_server(tmp_path, **settings) as server:
            carrier.server = pbx.server = server.sip["udp"]
            scene, api = Scene(server, carrier, pbx), server.api
            await scene.trunk()
            number = await scene.number(username="us", password="5ecret")
            call = await carrier.invite(
                number, carrier.sdp("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:K3y5ecret")
            )
            first = await pbx.hear("INVITE")
            challenge = 'WWW-Authenticate: Digest realm="pbx", nonce="n0nce", qop="auth"'
            await pbx.answer(first, 401, "", challenge)
            again = await pbx.hear("INVITE")
            key = again.get("X-Edge-Call-Key")
            response = again.get("Authorization").partition('response="')[2].partition('"')[0]
            assert key
            assert response
            echoed = [f'Reason: Q.850;cause=21;text="{"x" * 90}{key}"', f"User-Agent: {key}",
                      f"Contact: <sip:{key}@{pbx.address};key={key}>"]  # fmt: skip
            await pbx.answer(again, 603, "", *echoed, phrase="x" * 80 + key)
            await call.refused("480")
            record = await scene.record(number)
            assert "(removed)" in record["attempts"][0]["sip_reason"]

            async def kept() -> list[dict[str, str]]:
                found: list[dict[str, str]] = (await api.get(f"calls/{record['id']}/messages"))["items"]
                return found

            found = await eventually(kept)
            texts = [message["text"] for message in found]
            starts = [text.split()[0] for text in texts]
            assert starts[0] == "INVITE"
            # The caller's, and two to the target (each perhaps twice, on a slow machine).
            assert len({text for text in texts if text.startswith("INVITE")}) == 3
            assert found[0]["source"] == carrier.address
            assert found[0]["target"] == server.address()
            assert "Authorization: (removed)" in "".join(texts)
            async with api.http.get(f"{api.base}/api/v1/calls/{record['id']}/trace.pcap") as answer:
                capture = await answer.read()
            assert capture[:4] == b"\xd4\xc3\xb2\xa1"
            assert capture.count(b"INVITE sip:") >= 3

            await eventually(lambda: len(homer.copies) >= len(found))
            copies = "".join(copy.text for copy in homer.copies)
            assert {copy.agent_id for copy in homer.copies} == {42}
            for whole in ("".join(texts), capture.decode("latin-1"), copies, str(record), str(server.log())):
                assert not [secret for secret in (key[:8], response, "K3y5ecret") if secret in whole]


async def test_a_call_s_key_that_its_target_says_again_is_in_no_record(tmp_path: Path) -> None:
    """As it sends the call on, transfers it and hangs up."""
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as pbx, RawPhone(("", 0)) as desk:
        async with running_server(tmp_path) as server:
            carrier.server = pbx.server = desk.server = server.sip["udp"]
            scene = Scene(server, carrier, pbx)
            await scene.trunk()
            number = await scene.number(sip={"redirect_hosts": [desk.host], "allow_refer": True})
            call = await carrier.invite(number, carrier.sdp())
            first = await pbx.hear("INVITE")
            key = first.get("X-Edge-Call-Key")
            to = [f"<sip:{'x' * 80}{key}@nowhere.example>", f"<sip:{'x' * 180}{key}@{desk.address}>"]
            await pbx.answer(first, 302, "", f"Contact: {', '.join(to)}")
            out = await desk.hear("INVITE")
            assert key in out.start
            await desk.answer(out, 200, desk.sdp())
            await call.hear("200")
            await call.request("ACK")
            await desk.say(out, "REFER", 1, "", f"Refer-To: <sip:{'x' * 80}{key}@nowhere.example>")
            await desk.hear("SIP/2.0 603")
            await desk.say(out, "BYE", 2, "", f'Reason: SIP;cause=480;text="{key}"')
            told = await carrier.hear("BYE")
            assert key not in told.get("Reason")
            await carrier.answer(told, 200)
            record = await scene.record(number)
            assert [one["step"] for one in record["decision"]["steps"]][-2:] == ["redirect", "transfer"]
            assert "(removed)" in record["sip_reason"]
            whole = str([record, server.log()])
            assert key[:8] not in whole


async def test_a_call_that_comes_back_has_a_trace_of_its_own_and_no_key_is_in_either(tmp_path: Path) -> None:
    """Through a buyer's proxy, with its Call-ID; the buyer has the key in a header and address of its own."""
    with (
        Homer() as homer,
        RawPhone(("", 0)) as carrier,
        RawPhone(("", 0)) as proxy,
        RawPhone(("", 0)) as last,
    ):
        async with running_server(tmp_path, EDGE_SIP__HEP=f"udp://{homer.host}:{homer.port}") as server:
            carrier.server = proxy.server = last.server = server.sip["udp"]
            there, back, api = Scene(server, carrier, proxy), Scene(server, proxy, last), server.api
            for scene in (there, back):
                await scene.trunk()
            own = {"address": f"sip:k[call_key]@{proxy.address}", "headers": {"X-Own": "key=[call_key]"}}
            first = await there.number(sip={"call_id": "keep"}, **own)
            second = await back.number()
            call = await carrier.invite(first, carrier.sdp())
            out = await proxy.hear("INVITE")
            key = out.get("X-Edge-Call-Key")
            assert out.get("Call-ID") == call.call_id
            assert out.get("X-Own") == f"key={key}" and key in out.start
            again = Outgoing(proxy, second, call.call_id)
            await again.request("INVITE", proxy.sdp(), f"X-Own: key={key}")
            await last.answer(await last.hear("INVITE"), 486)
            await again.refused("486")
            await proxy.answer(out, 486)
            await call.refused("486")
            records = [await there.record(first), await back.record(second)]
            found = [await api.get(f"calls/{record['id']}/trace") for record in records]
            ladders = [[(one["direction"], one["message"], one["peer"]) for one in each["items"]]
                       for each in found]  # fmt: skip
            for ladder, phone in zip(ladders, (carrier, proxy), strict=True):
                assert ladder[0][0] == "in" and ladder[0][1].startswith("INVITE")
                assert ladder[0][2].endswith(phone.address)
                assert ("out", "SIP/2.0 486 Busy Here", f"udp:{phone.address}") in ladder

            async def kept() -> list[str]:
                found = [(await api.get(f"calls/{record['id']}/messages"))["items"] for record in records]
                return ["".join(one["text"] for one in each) for each in found] if all(found) else []

            texts = await eventually(kept)
            await eventually(lambda: any("486" in copy.text for copy in homer.copies))
            whole = str([records, ladders, texts, homer.copies])
            assert "(removed)" in whole and key not in whole
