"""What of the caller's INVITE goes on to a target, and that nothing in it becomes a header of its own."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.calls import dialplan
from edge.calls.identity import Identity, display_name, from_header, identity_headers
from edge.calls.passing import MAX_CALL_ID, Onward, attached, kept_call_id, may_allow, passed_on
from edge.model.decision import CallFacts
from edge.model.sip import SipSettings
from edge.routing.snapshot import Snapshot
from edge.sip.attached import Attached
from edge.sip.grammar import quote
from edge.sip.message import Headers, Request
from edge.sip.parser import parse
from tests.routing.world import target

ANNA = "+13125550111"
DIALLED = "+18005550100"


def invite(*headers: tuple[str, str]) -> Request:
    return Request("INVITE", f"sip:{DIALLED}@edge.example;user=phone", Headers(list(headers)))


def passed(
    request: Request, uri: str = "sip:sales@pbx.example", *, identity: Identity | None = None, **sip: Any
) -> list[tuple[str, str]]:
    facts = CallFacts("call_1", "trk_1", ANNA, DIALLED, datetime(2026, 1, 1, tzinfo=UTC))
    line = dialplan.Line(uri, uri, SipSettings(**sip), None)
    return passed_on(request, Onward(facts, line, identity or Identity(ANNA), ANNA, "us"))


def test_only_headers_that_are_allowed_go_on() -> None:
    request = invite(
        ("X-Acme-Id", "7"), ("x-acme-Name", "Anna"), ("X-Other", "no"), ("User-to-User", "01;encoding=hex")
    )
    assert passed(request) == [("User-to-User", "01;encoding=hex")]
    assert passed(request, header_allow=()) == []
    assert passed(request, header_allow=("X-Other", "x-acme-id")) != []
    assert passed(request, header_allow=("X-Acme-*",)) == [("X-Acme-Id", "7"), ("x-acme-Name", "Anna")]


@pytest.mark.parametrize("call_id", ["a1@192.0.2.9", "x" * (MAX_CALL_ID + 1)])
def test_a_call_id_is_new_unless_the_target_wants_it(call_id: str) -> None:
    request = invite(("Call-ID", call_id), ("X-Call-ID", "of the carrier"))
    short = len(call_id) <= MAX_CALL_ID

    def line(**sip: Any) -> dialplan.Line:
        return dialplan.Line("sip:a@b", "sip:a@b", SipSettings(**sip), None)

    assert passed(request) == passed(request, call_id="keep") == []
    told = passed(request, call_id="correlate", header_allow=("X-*",))
    assert told == [("X-Call-ID", call_id if short else "of the carrier")]
    kept = [kept_call_id(request, line(call_id=how)) for how in ("new", "correlate", "keep")]
    assert kept == ["", "", call_id if short else ""]


def test_a_call_id_that_nobody_may_write_is_not_kept() -> None:
    request = invite(("Call-ID", "a\x00b"))
    line = dialplan.Line("sip:a@b", "sip:a@b", SipSettings(call_id="keep"), None)
    assert kept_call_id(request, line) == ""


def test_only_parts_that_are_allowed_go_on_and_none_of_who_withholds_its_number() -> None:
    request = invite()
    isup, card = Attached("application/isup", (), b"1"), Attached("text/vcard", (), b"2")
    request.attached = (isup, card)

    def gone_on(identity: Identity, **sip: Any) -> list[Attached]:
        facts = CallFacts("call_1", "trk_1", ANNA, DIALLED, datetime(2026, 1, 1, tzinfo=UTC))
        line = dialplan.Line("sip:a@b", "sip:a@b", SipSettings(**sip), None)
        return list(attached(request, Onward(facts, line, identity, ANNA, "us")))

    anna, withheld = Identity(ANNA), Identity(ANNA, private=True)
    assert gone_on(anna) == []
    assert gone_on(anna, body_allow=("Application/ISUP",)) == [isup]
    assert gone_on(withheld, body_allow=("application/isup",)) == []
    assert gone_on(withheld, body_allow=("application/isup",), trusted=True) == [isup]


@pytest.mark.parametrize("kind", ["application/sdp", "multipart/mixed", "isup", "a/b c", "a/*", "a/b;c=d"])
def test_what_is_no_part_of_its_own_can_not_be_allowed(kind: str) -> None:
    with pytest.raises(ValidationError):
        SipSettings(body_allow=(kind,))


def test_a_beginning_never_reaches_headers_that_are_decided_otherwise() -> None:
    request = invite(
        ("P-Asserted-Identity", f"<sip:{ANNA}@h>"), ("P-Early-Media", "inactive"), ("Contact", "<sip:x@y>")
    )
    assert passed(request, header_allow=("P-*", "C*")) == [("P-Early-Media", "inactive")]
    assert not any(map(may_allow, ("Via", "from", "X-Edge-Call-Key", "Privacy", "Identity", "Reason")))


@pytest.mark.parametrize("name", ["*", "X-*-Id", "X Y", "X-Id\r\n"])
def test_what_can_be_no_header_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        SipSettings(header_allow=(name,))


def test_so_much_is_passed_on_and_no_more() -> None:
    request = invite(*((f"X-{at}", "y" * 1000) for at in range(20)))
    assert len(passed(request, header_allow=("X-*",))) == 8


DIVERTED = ("Diversion", "<sip:+13125550177@c>;reason=no-answer, <sip:+13125550188@c>;privacy=full")


@pytest.mark.parametrize(
    ("choice", "trusted", "expected"),
    [
        ("none", True, []),
        ("pass", True, ["<sip:+13125550177@c>;reason=no-answer", "<sip:+13125550188@c>;privacy=full"]),
        ("pass", False, ["<sip:+13125550177@c>;reason=no-answer"]),
        (
            "make", False,
            [f"<sip:{DIALLED}@us>;reason=unconditional;counter=1", "<sip:+13125550177@c>;reason=no-answer"],
        ),
    ],
)  # fmt: skip
def test_diversions(choice: str, trusted: bool, expected: list[str]) -> None:
    found = passed(invite(DIVERTED), diversion=choice, trusted=trusted)
    assert found == [("Diversion", value) for value in expected]


@pytest.mark.parametrize(
    ("number_format", "user"), [("e164_plus", DIALLED), ("e164", "18005550100"), ("national", "8005550100")]
)
def test_our_diversion_is_written_in_the_peers_format(number_format: str, user: str) -> None:
    ((_, value),) = passed(invite(), diversion="make", number_format=number_format)
    assert value == f"<sip:{user}@us>;reason=unconditional;counter=1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<sip:+13125550177@c>; privacy=full", False),
        ("<sip:+13125550177@c>;PRIVACY = Name", False),
        ('<sip:+13125550177@c>;privacy="full"', False),
        ('";privacy=off" <sip:+13125550177@c>;privacy=full', False),
        ("<sip:+13125550177@c>;privacy=full;privacy=off", False),
        ('";privacy=full" <sip:+13125550177@c>;reason=no-answer', True),
        ("<sip:+13125550177@c> ; privacy = off", True),
    ],
)
def test_a_diversion_that_asks_for_privacy_gets_it_however_it_is_written(value: str, shown: bool) -> None:
    assert bool(passed(invite(("Diversion", value)), diversion="pass")) is shown
    assert passed(invite(("Diversion", value)), diversion="pass", trusted=True) == [("Diversion", value)]


def test_history_goes_on_behind_an_index_however_it_is_written() -> None:
    for last in ("<sip:a@c>; index=1.2", '";index=7" <sip:a@c>;index = 1.2;rc=1', "<sip:a@c>;INDEX=1.2"):
        found = passed(invite(("History-Info", last)), history_info="make")
        assert found[-1][1] == "<sip:sales@pbx.example>;index=1.2.1;mp=1.2"


def test_history() -> None:
    came = ("History-Info", "<sip:+13125550177@c>;index=1,<sip:+18005550100@c>;index=1.1;mp=1")
    whole = ["<sip:+13125550177@c>;index=1", "<sip:+18005550100@c>;index=1.1;mp=1"]
    assert [value for _, value in passed(invite(came), history_info="pass")] == whole
    ours = "<sip:sales@pbx.example>;index=1.1.1;mp=1.1"
    assert [value for _, value in passed(invite(came), history_info="make")] == [*whole, ours]
    assert [value for _, value in passed(invite(), history_info="make")] == [
        f"<sip:{DIALLED}@edge.example;user=phone>;index=1",
        "<sip:sales@pbx.example>;index=1.1;mp=1",
    ]
    private = ("History-Info", "<sip:+13125550177@c?Privacy=history>;index=1")
    assert passed(invite(private), history_info="pass") == []
    assert len(passed(invite(private), history_info="pass", trusted=True)) == 1


@pytest.mark.parametrize("privacy", ["history", "id; History", "header", "session"])
def test_a_call_whose_history_is_private_tells_it_to_trusted_peers_only(privacy: str) -> None:
    came = invite(("History-Info", "<sip:+13125550177@c>;index=1"), ("Privacy", privacy))
    assert passed(came, history_info="pass") == []
    assert passed(came, history_info="make") == [
        ("History-Info", f"<sip:{DIALLED}@edge.example;user=phone>;index=1"),
        ("History-Info", "<sip:sales@pbx.example>;index=1.1;mp=1"),
    ]
    assert len(passed(came, history_info="pass", trusted=True)) == 1


SIGNED = (
    ("Identity", "eyJ.eyJ.sig;info=<https://c.example/a.cer>;alg=ES256"),
    ("Date", "Sat, 28 Nov 2026 10:00:00 GMT"),
)


@pytest.mark.parametrize(
    ("uri", "goes_on"),
    [
        (f"sip:{DIALLED}@pbx.example", True),
        ("sip:18005550100@pbx.example", True),
        ("sip:sales@pbx.example", False),
        ("sip:+13125550100@pbx.example", False),
    ],
)
def test_a_signed_identity_goes_on_while_caller_and_called_number_are_the_same(
    uri: str, goes_on: bool
) -> None:
    assert passed(invite(*SIGNED), uri) == (list(SIGNED) if goes_on else [])


def test_a_signed_identity_tells_nobody_what_the_caller_withholds() -> None:
    uri, private = f"sip:{DIALLED}@pbx.example", Identity(ANNA, private=True)
    assert passed(invite(*SIGNED), uri, identity=private) == []
    assert passed(invite(*SIGNED), uri, identity=private, trusted=True) == list(SIGNED)


WILD = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\x00\x07<>\"'\\;,@%:\udcff"), max_size=40)
EVERY_CHOICE = SipSettings(
    trusted=True, remote_party_id=True, diversion="make", history_info="make",
    header_allow=("X-*", "User-to-User"),
)  # fmt: skip


@given(
    name=WILD, values=st.lists(WILD, max_size=4), called=WILD, tag=WILD, caller=st.sampled_from([ANNA, None])
)
def test_no_value_becomes_a_header_of_its_own(
    name: str, values: list[str], called: str, tag: str, caller: str | None
) -> None:
    names = ("X-One", "User-to-User", "Diversion", "History-Info")
    came = invite(*zip(names, values, strict=False))
    facts = CallFacts("call_1", "trk_1", caller, called, datetime(2026, 1, 1, tzinfo=UTC))
    known = {"number": called, "tag:agent": tag, "call_id": "call_1"}
    buyer = target(address="sip:[number]@192.0.2.9", headers={"X-Agent": "a [tag:agent]"}, sip=EVERY_CHOICE)
    (line,) = dialplan.lines(buyer, Snapshot.build(), known)
    identity = Identity(caller, caller is None, ANNA, display_name(f"{quote(name)} <sip:x@y>"))
    headers = [
        ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"), ("Max-Forwards", "70"),
        ("Call-ID", "1"), ("CSeq", "1 INVITE"),
        ("From", from_header(identity, line.sip, "us", None) + ";tag=1"), ("To", f"<{line.uri}>"),
        *dialplan.target_headers(buyer, "call_1", "key", known),
        *identity_headers(identity, line.sip, "us"),
        *passed_on(came, Onward(facts, line, identity, caller, "us")),
    ]  # fmt: skip
    printed = Request("INVITE", line.uri, Headers(headers)).to_bytes()
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", printed)
    read = parse(printed)
    assert isinstance(read, Request)
    assert [item[0] for item in read.headers] == [*(item[0] for item in headers), "Content-Length"]
    assert read.target.host == "192.0.2.9"
