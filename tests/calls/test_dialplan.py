"""How targets are dialled: Request-URIs, identities, number formats, headers."""

from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from edge.calls import dialplan
from edge.model.config import Target, Trunk
from edge.model.sip import SipSettings
from edge.routing.snapshot import Snapshot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMON = {"created_at": NOW, "updated_at": NOW, "version": 1}


def target(**fields: Any) -> Target:
    return Target(id="tgt_1", name="buyer", **{"address": "sip:sales@192.0.2.9", **fields}, **COMMON)


def trunk(**fields: Any) -> Trunk:
    return Trunk(id="trk_1", name="carrier", **{"addresses": ("192.0.2.1/32",), **fields}, **COMMON)


def test_a_sip_target_is_dialled_at_its_own_address() -> None:
    (line,) = dialplan.lines(target(address="sip:sales@192.0.2.9:5070;transport=tcp"), Snapshot.build(), {})
    assert line.uri == line.via == "sip:sales@192.0.2.9:5070;transport=tcp"
    assert line.credentials is None


def test_the_request_uri_host_can_be_another_than_where_it_is_sent() -> None:
    settings = SipSettings(ruri_host="pbx.example.com")
    (line,) = dialplan.lines(target(sip=settings), Snapshot.build(), {})
    assert (line.uri, line.via) == ("sip:sales@pbx.example.com", "sip:sales@192.0.2.9")


def test_placeholders_fill_the_address() -> None:
    (line,) = dialplan.lines(
        target(address="sip:[campaign_id]@192.0.2.9"), Snapshot.build(), {"campaign_id": "cmp_7"}
    )
    assert line.uri == "sip:cmp_7@192.0.2.9"


def test_a_phone_number_goes_through_its_trunks_in_order_as_each_writes_numbers() -> None:
    first = trunk(proxy="sip:192.0.2.1", username="us", password=SecretStr("pw"))
    second = Trunk(
        id="trk_2", name="b", addresses=("192.0.2.2/32",), proxy="sip:gw.example.com:5080",
        sip=SipSettings(number_format="national", tech_prefix="77#"), **COMMON,
    )  # fmt: skip
    without_proxy = Trunk(id="trk_3", name="c", addresses=("192.0.2.3/32",), **COMMON)
    snapshot = Snapshot.build(trunks=(first, second, without_proxy))
    dialled = target(address="+13125550100", trunk_ids=("trk_3", "trk_1", "gone", "trk_2"))
    lines = dialplan.lines(dialled, snapshot, {})
    assert [line.uri for line in lines] == [
        "sip:+13125550100@192.0.2.1",
        "sip:77%233125550100@gw.example.com:5080",
    ]
    assert lines[0].credentials is not None
    assert lines[0].credentials.username == "us"


def test_a_paused_trunk_is_not_dialled_through() -> None:
    snapshot = Snapshot.build(trunks=(trunk(proxy="sip:192.0.2.1", state="paused"),))
    assert dialplan.lines(target(address="+13125550100", trunk_ids=("trk_1",)), snapshot, {}) == []


def test_headers_carry_the_call_and_can_not_be_used_to_inject_another() -> None:
    wanted = target(headers={"X-Campaign-ID": "[campaign_id]", "X-Tag": "[tag:agent]!"})
    values = {"campaign_id": "cmp_7", "tag:agent": "a\r\nX-Evil: 1\x00"}
    headers = dialplan.target_headers(wanted, "call_1", "key", values)
    assert headers[:2] == [("X-Edge-Call-ID", "call_1"), ("X-Edge-Call-Key", "key")]
    assert headers[2:] == [("X-Campaign-ID", "cmp_7"), ("X-Tag", "aX-Evil: 1!")]


def test_the_transport_that_is_set_holds_where_the_uri_names_none() -> None:
    tls, empty = SipSettings(transport="tls"), Snapshot.build()
    (line,) = dialplan.lines(target(sip=tls), empty, {})
    assert (line.uri, line.via) == ("sip:sales@192.0.2.9", "sip:sales@192.0.2.9;transport=tls")
    for named in ("sip:sales@192.0.2.9;transport=tcp", "sips:sales@192.0.2.9"):
        assert dialplan.lines(target(address=named, sip=tls), empty, {})[0].via == named
    through = Snapshot.build(trunks=(trunk(proxy="sips:gw.example.com"),))
    (line,) = dialplan.lines(target(address="+13125550100", trunk_ids=("trk_1",)), through, {})
    assert (line.uri, line.via) == ("sips:+13125550100@gw.example.com", "sips:gw.example.com")
