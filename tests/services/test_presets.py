"""Carriers' presets: what comes with the product, the operator's own, and what a trunk makes of them."""

from pathlib import Path
from typing import Any

import pytest

from edge.model.config import Trunk, TrunkSpec
from edge.model.preset import Preset
from edge.model.trunk import rewritten_fields, written_fields
from edge.routing.everything import everything
from edge.routing.snapshot import Snapshot
from edge.services.presets import PresetsUnusable, read_presets
from tests.routing.world import trunk

CARRIERS = [
    "bandwidth", "callcentric", "didww", "flowroute", "plivo", "signalwire", "sinch", "skyetel", "telnyx",
    "twilio", "voipms", "vonage", "voxbone",
]  # fmt: skip
WHO = {"carrier": "the carrier's page", "agreeing": "sources that agree", "none": "fill in your own"}
PAGE = Path(__file__).parents[2] / "docs" / "carriers.md"


def test_what_is_shipped_says_of_when_and_from_where_it_is() -> None:
    found = read_presets("").all()
    assert [preset.name for preset in found] == CARRIERS
    assert all(preset.source.startswith("https://") and preset.notes for preset in found)
    assert {preset.confirmed for preset in found} == {"carrier", "agreeing", "none"}


def test_the_addresses_of_two_carriers_are_never_the_same() -> None:
    presets = read_presets("")
    for preset in presets.all():
        for address in preset.addresses:
            assert presets.by_address(address.partition("/")[0]) is preset


def row(preset: Preset) -> str:
    """A line of the documentation's table."""
    sip = preset.sip
    says = [f"out {sip.number_format}", f"in {preset.number_format_in}"]
    if preset.called_number_from != "request_uri":
        says.append(f"dialled number in {preset.called_number_from}")
    says += [name for name in ("trusted", "remote_party_id") if getattr(sip, name)]
    known = f"{len(preset.addresses)}, {WHO[preset.confirmed]}" if preset.addresses else WHO["none"]
    cells = (
        f"`{preset.name}`", f"[{preset.title}]({preset.source})", known, ", ".join(says), str(preset.as_of)
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def test_the_documentation_lists_what_is_shipped() -> None:
    lines = PAGE.read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == [row(p) for p in read_presets("").all()]


def test_a_file_of_the_operator_s_adds_and_replaces(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[twilio]\naddresses = ["192.0.2.0/24"]\nsip = { tech_prefix = "9" }\n'
        '[mine]\ntitle = "Mine"\nas_of = 2026-11-28\n'
    )
    presets = read_presets(str(own))
    twilio = presets.get("twilio")
    assert twilio is not None
    assert (twilio.addresses, twilio.title) == (("192.0.2.0/24",), "Twilio Elastic SIP Trunking")
    assert (twilio.sip.tech_prefix, twilio.sip.codecs) == ("9", ("PCMU", "PCMA"))
    assert [preset.name for preset in presets.all()] == sorted([*CARRIERS, "mine"])
    assert (twilio.confirmed, twilio.evidence != ()) == ("operator", True)
    assert presets.by_address("192.0.2.7") is twilio
    assert presets.by_address("54.172.60.1") is None


def test_an_operator_may_empty_a_list_and_leave_it_to_the_trunks(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[telnyx]\naddresses = []\n")
    telnyx = read_presets(str(own)).get("telnyx")
    assert telnyx is not None
    assert (telnyx.addresses, telnyx.confirmed) == ((), "none")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = 1", "x is no table"),
        ("[x]\ntitle = 'X'", "x.as_of"),
        ("[twilio]\naddresses = ['nowhere']", "twilio.addresses"),
        ("[twilio]\nsip = { colour = 'red' }", "twilio.sip.colour"),
        ("[twilio]\nsip = 'udp'", "twilio.sip"),
        ("[twilio]\nproxy = 'pstn.twilio.com'", "twilio.proxy"),
        ("[twilio]\nsip = { allow_refer = true }", "twilio.sip.allow_refer: a carrier transfers no calls"),
        (
            "[twilio]\nsip = { peer_addresses = ['192.0.2.1'] }",
            "twilio.sip.peer_addresses: nobody takes over",
        ),
        ("[twilio]\nsip = { header_allow = ['Via'] }", r"twilio.sip.header_allow\[0\]"),
        ("[twilio]\nconfirmed = 'none'", "twilio: .*confirmed says who vouches"),
        ("[bandwidth]\nconfirmed = 'carrier'", "bandwidth: .*confirmed says who vouches"),
        ("[twilio]\nevidence = ['one page']", "twilio: .*two or more"),
        ("[telnyx]\nsource = ''", "telnyx: .*the carrier's page"),
        ("[twilio", "own.toml"),
    ],
)
def test_a_file_that_can_not_be_used_says_where(tmp_path: Path, text: str, names: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(PresetsUnusable, match=names):
        read_presets(str(own))
    with pytest.raises(PresetsUnusable, match="gone"):
        read_presets(str(tmp_path / "gone.toml"))


def made(**fields: Any) -> Any:
    spec = TrunkSpec(name="t", **fields)
    return trunk(**spec.model_dump(exclude={"register"}), overrides=written_fields(spec))


def test_a_trunk_has_what_its_preset_says_and_what_it_says_itself() -> None:
    presets = read_presets("")
    filled = presets.effective(
        made(preset="flowroute", addresses=["192.0.2.0/24"], sip={"tech_prefix": "123*"})
    )
    assert (filled.addresses, filled.sip.tech_prefix) == (("192.0.2.0/24",), "123*")
    assert (filled.sip.number_format, filled.sip.trusted) == ("e164", True)
    plus = presets.effective(made(preset="flowroute", sip={"number_format": "e164_plus", "trusted": False}))
    assert (plus.sip.number_format, plus.sip.trusted) == ("e164_plus", False)
    plain = made(addresses=["192.0.2.0/24"])
    assert presets.effective(plain) is plain


def test_a_field_goes_back_to_the_preset_by_null() -> None:
    before = written_fields(TrunkSpec(name="t", preset="twilio", country="DE", sip={"trusted": True}))  # type: ignore[arg-type]
    assert before == ("country", "sip.trusted")
    assert rewritten_fields(before, {"sip": {"tech_prefix": "9"}}) == (
        "country",
        "sip.tech_prefix",
        "sip.trusted",
    )
    assert rewritten_fields(before, {"country": None, "sip": {"trusted": None}}) == ()
    assert rewritten_fields(before, {"sip": None, "proxy": "sip:x"}) == ("country", "proxy")


def test_what_was_written_and_what_works_are_kept_apart() -> None:
    snapshot = Snapshot.build(presets=read_presets("")).with_changes([made(preset="telnyx")])
    assert snapshot.trunks()[0].proxy == "sip:sip.telnyx.com"
    assert [item.proxy for item in everything(snapshot) if isinstance(item, Trunk)] == [None]
