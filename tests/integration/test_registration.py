"""The running server registers with a carrier: digest, 423, state in the API and metrics, sign-off, calls."""

from pathlib import Path
from typing import Any

from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.registrar import LEAST_S, registrar
from tests.support.server import Server, eventually, running_server

USERNAME, PASSWORD = "line 7", "hunter2"


async def registration(server: Server, trunk_id: str) -> Any:
    return (await server.api.get(f"trunks/{trunk_id}"))["registration"]


def account_with(host: str, port: int) -> Json:
    """A trunk that we register for at a registrar."""
    account = {"registrar": f"sip:{host}:{port}", "username": USERNAME, "password": PASSWORD}
    return {"name": host, "addresses": [f"{host}/32"], "register": account}


async def test_a_trunk_is_registered_seen_to_be_and_signed_off(tmp_path: Path) -> None:
    host = own_address()
    async with registrar(host, USERNAME, PASSWORD) as carrier, running_server(tmp_path) as server:
        account = {
            "registrar": f"sip:{host}:{carrier.port}",
            "username": USERNAME,
            "password": PASSWORD,
            "expires_s": LEAST_S - 60,
        }
        body = {"name": "carrier", "addresses": [f"{host}/32"], "register": account}
        trunk = await server.api.post("trunks", body)

        async def registered() -> bool:
            return bool((await registration(server, trunk["id"]) or {}).get("state") == "registered")

        await eventually(registered)
        ((address, contact),) = carrier.bindings.items()
        assert address == f"<sip:line%207@{host}:{carrier.port}>"
        assert contact == f"<sip:line%207@{server.address()}>"
        assert [status for status, _ in carrier.seen] == [401, 423, 401, 200]
        assert await server.api.metric("edge_registrations") == 1
        assert (await registration(server, trunk["id"]))["expires_at"]
        assert await server.stop() == 0
        assert not carrier.bindings
        assert PASSWORD not in server.log_path.read_text()


async def test_wrong_credentials_are_told_and_not_hammered_and_are_none_of_another_registrar_s(
    tmp_path: Path,
) -> None:
    host, second = own_address(), own_address()
    async with (
        registrar(host, USERNAME, "another") as carrier,
        registrar(second, USERNAME, PASSWORD) as other,
        running_server(tmp_path) as server,
    ):
        trunk = await server.api.post("trunks", account_with(host, carrier.port))
        await server.api.post("trunks", account_with(second, other.port))

        async def failed() -> Any:
            found = await registration(server, trunk["id"])
            return found if found and found["state"] == "failed" else None

        found = await eventually(failed)
        assert found["reason"].startswith("401")
        assert [status for status, _ in carrier.seen] == [401, 401]

        async def registered() -> bool:
            return bool(await server.api.metric('edge_registrations{state="registered"}') == 1)

        await eventually(registered)
        assert await server.api.metric('edge_registrations{state="failed"}') == 1
        assert list(other.bindings) == [f"<sip:line%207@{second}:{other.port}>"]
