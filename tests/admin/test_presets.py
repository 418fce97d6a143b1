"""Carriers' presets over the API, and trunks that name one."""

from tests.admin.client import Client


async def test_presets_are_listed_and_read(api: Client) -> None:
    names = [preset["name"] for preset in (await api.get("trunk-presets")).json["items"]]
    assert "telnyx" in names
    found = (await api.get("trunk-presets/telnyx")).json
    assert found["as_of"] == "2026-11-28"
    assert "192.76.120.10/32" in found["addresses"]
    assert (found["confirmed"], len(found["evidence"])) == ("carrier", 3)
    assert (await api.get("trunk-presets/twilio")).json["media_addresses"] == ["168.86.128.0/18"]
    assert (await api.get("trunk-presets/nobody")).status == 404


async def test_a_trunk_is_read_as_it_works(api: Client) -> None:
    made = await api.new("trunks", name="t", preset="telnyx", sip={"tech_prefix": "9"})
    assert "192.76.120.10/32" in made["addresses"]
    assert (made["proxy"], made["sip"]["tech_prefix"]) == ("sip:sip.telnyx.com", "9")
    assert made["overrides"] == ["sip.tech_prefix"]
    path = f"trunks/{made['id']}"
    changed = (await api.patch(path, {"addresses": ["192.0.2.0/24"], "sip": {"tech_prefix": None}})).json
    assert (changed["addresses"], changed["sip"]["tech_prefix"]) == (["192.0.2.0/24"], "")
    assert changed["overrides"] == ["addresses"]
    back = (await api.patch(path, {"addresses": None})).json
    assert back["addresses"] == made["addresses"]


async def test_what_a_preset_leaves_open_must_be_given(api: Client) -> None:
    unknown = await api.post("trunks", {"name": "t", "preset": "nobody"})
    assert unknown.status == 422
    assert "twilio" in unknown.json["errors"][0]["message"]
    empty = await api.post("trunks", {"name": "t", "preset": "bandwidth"})
    assert [error["path"] for error in empty.json["errors"]] == ["addresses"]
    login = {"username": "u", "password": "p"}
    assert (await api.post("trunks", {"name": "t", "preset": "signalwire", **login})).status == 201
    assert (await api.post("trunks", {"name": "t", "preset": "telnyx"})).status == 201
    assert (await api.post("trunks", {"name": "t", "preset": "telnyx"})).status == 422
