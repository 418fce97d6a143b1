"""Where a 3xx may lead: only where the configuration says, without what its URI would smuggle in."""

import pytest

from edge.calls.redirect import allowed, contacts
from edge.sip.message import Headers


def test_the_best_contact_comes_first_and_each_once() -> None:
    headers = Headers(
        [
            ("Contact", '<sip:a@one.example>;q=0.1, "B" <sip:b@two.example;transport=tcp>;q=0.9'),
            ("Contact", "<sip:c@three.example>, <sip:a@one.example>, <tel:+12025550123>, nonsense"),
        ]
    )
    assert contacts(headers) == [
        "sip:c@three.example",
        "sip:b@two.example;transport=tcp",
        "sip:a@one.example",
    ]


@pytest.mark.parametrize("hidden", [";maddr=203.0.113.9", "?Route=%3Csip:203.0.113.9%3E", ";method=REFER"])
def test_nothing_in_the_uri_steers_the_request(hidden: str) -> None:
    assert contacts(Headers([("Contact", f"<sip:a@one.example{hidden}>")])) == ["sip:a@one.example"]


def test_many_contacts_are_not_read() -> None:
    assert len(contacts(Headers([("Contact", ", ".join(f"<sip:{n}@x.example>" for n in range(100)))]))) == 8


@pytest.mark.parametrize(
    ("uri", "hosts", "expected"),
    [
        ("sip:a@pbx.example", ("PBX.example",), True),
        ("sip:a@pbx.example:5070", ("pbx.example",), True),
        ("sip:a@pbx.example:5070", ("pbx.example:5070",), True),
        ("sip:a@pbx.example", ("pbx.example:5070",), False),
        ("sip:a@pbx.example.evil.example", ("pbx.example",), False),
        ("sip:pbx.example@evil.example", ("pbx.example",), False),
        ("sip:a@[2001:db8::1]:5062", ("[2001:db8::1]",), True),
        ("sip:a@192.0.2.1", (), False),
        ("nonsense", ("nonsense",), False),
    ],
)
def test_only_what_the_configuration_names(uri: str, hosts: tuple[str, ...], expected: bool) -> None:
    assert allowed(uri, hosts) is expected
