"""Who calls, as trusted and other peers are told."""

import pytest

from edge.calls.identity import Identity, display_name, from_header, identity_headers, identity_of
from edge.model.sip import SipSettings
from tests.routing.world import target

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
PLAIN, TRUSTED = SipSettings(), SipSettings(trusted=True)
SEEN = Identity("+13125550111")
PRIVATE = Identity("+13125550111", private=True)
WITHHELD = Identity(None, private=True, withheld="+13125550111")


@pytest.mark.parametrize(
    ("identity", "sip", "caller_id", "expected"),
    [
        (SEEN, PLAIN, None, "<sip:+13125550111@us>"),
        (SEEN, PLAIN, "+18005550100", "<sip:+18005550100@us>"),
        (SEEN, SipSettings(number_format="e164"), None, "<sip:13125550111@us>"),
        (SEEN, SipSettings(number_format="national", tech_prefix="77#"), None, "<sip:3125550111@us>"),
        (SEEN, SipSettings(from_host="pbx.example"), None, "<sip:+13125550111@pbx.example>"),
        (SEEN, SipSettings(from_user="acme", from_host="h"), None, "<sip:acme@h>"),
        (Identity("+13125550111", name='A "B"'), PLAIN, None, '"A \\"B\\"" <sip:+13125550111@us>'),
        (Identity("+13125550111", name="A"), PLAIN, "+18005550100", "<sip:+18005550100@us>"),
        (Identity("+13125550111", private=True, name="A"), PLAIN, None, ANONYMOUS),
        (Identity(None), PLAIN, None, ANONYMOUS),
        (Identity(None), SipSettings(from_host="h"), None, '"Anonymous" <sip:anonymous@h>'),
        (PRIVATE, TRUSTED, None, "<sip:+13125550111@us>"),
        (WITHHELD, TRUSTED, None, ANONYMOUS),
    ],
)
def test_from(identity: Identity, sip: SipSettings, caller_id: str | None, expected: str) -> None:
    assert from_header(identity, sip, "us", caller_id) == expected


def test_only_trusted_peers_are_told_who_withholds_the_number() -> None:
    for hidden in (PRIVATE, WITHHELD):
        assert identity_headers(hidden, PLAIN, "us") == [("Privacy", "id")]
        assert identity_headers(hidden, TRUSTED, "us") == [
            ("P-Asserted-Identity", "<sip:+13125550111@us>"),
            ("Privacy", "id"),
        ]


def test_a_trusted_peer_is_told_in_the_way_it_asks_for() -> None:
    sip = SipSettings(trusted=True, remote_party_id=True, number_format="e164", from_host="h")
    assert identity_headers(SEEN, sip, "us") == [
        ("P-Asserted-Identity", "<sip:13125550111@h>"),
        ("Remote-Party-ID", "<sip:13125550111@h>;party=calling;privacy=off;screen=no"),
    ]
    (_, rpid, privacy) = identity_headers(PRIVATE, sip, "us")
    assert rpid[1].endswith(";privacy=full;screen=no")
    assert privacy == ("Privacy", "id")


def test_a_number_of_ours_is_shown_instead_of_the_caller_s_everywhere() -> None:
    assert identity_headers(WITHHELD, TRUSTED, "us", "+18005550100") == [
        ("P-Asserted-Identity", "<sip:+18005550100@us>")
    ]
    assert identity_headers(SEEN, PLAIN, "us", "+18005550100") == []


@pytest.mark.parametrize(
    ("from_", "name"),
    [
        ('"Anna Karenina" <sip:a@b>', "Anna Karenina"),
        ("Anna <sip:a@b>;tag=1", "Anna"),
        ("<sip:a@b>", ""),
        ("sip:a@b;tag=1", ""),
        ('"a\\"b\x07" <sip:a@b>', 'a"b\ufffd'),
        (f'"{"x" * 500}" <sip:a@b>', "x" * 80),
        ("", ""),
    ],
)
def test_the_name_that_a_caller_gives(from_: str, name: str) -> None:
    assert display_name(from_) == name


def test_a_target_may_be_shown_the_dialled_number_or_nobody() -> None:
    caller = Identity("+12125550100", name="Alice")
    shown = identity_of(target(caller_id="number"), caller, "+18005550100")
    assert shown == (caller, "+18005550100")
    assert identity_of(target(caller_id="number"), caller, "anonymous") == (caller, None)
    assert identity_of(target(caller_id="+13125550100"), caller, "+18005550100")[1] == "+13125550100"
    nobody, ours = identity_of(target(caller_id="anonymous"), caller, "+18005550100")
    trusted = SipSettings(trusted=True)
    assert from_header(nobody, trusted, "edge.example", ours).startswith('"Anonymous"')
    assert identity_headers(nobody, trusted, "edge.example", ours) == [("Privacy", "id")]
