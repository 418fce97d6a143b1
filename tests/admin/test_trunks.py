"""Trunks in the API: the registration's password is never read back, and an edit leaves it as it is."""

from edge.admin.ports import Ports
from edge.model.config import Trunk
from tests.admin.client import Client

REGISTER = {"registrar": "sip:carrier.example", "username": "us", "password": "hunter2", "expires_s": 600}


async def test_the_password_of_a_registration_is_kept_and_never_shown(api: Client, ports: Ports) -> None:
    body = {"name": "carrier", "addresses": ["192.0.2.0/24"], "register": REGISTER}
    made = await api.post("trunks", body)
    assert made.status == 201
    path = f"trunks/{made.json['id']}"
    shown = {**REGISTER, "password": {"set": True}}
    for changes in (
        {"name": "other"},
        {"register": {**shown, "expires_s": 900}},
        {"register": {"username": "we"}},
    ):
        answer = await api.patch(path, changes)
        assert answer.status == 200
        assert answer.json["register"]["password"] == {"set": True}
    assert (await api.get("trunks")).json["items"][0]["register"]["password"] == {"set": True}
    read = (await api.get(path)).json
    assert read["register"] == {**shown, "expires_s": 900, "username": "we"}
    assert read["registration"]["state"] == "registered"
    stored = await ports.configuration.get("trunk", made.json["id"])
    assert isinstance(stored, Trunk) and stored.register is not None
    assert stored.register.password.get_secret_value() == "hunter2"
