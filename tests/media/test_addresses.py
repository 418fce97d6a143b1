"""Which address of ours a peer is told for its audio."""

import pytest

from edge.media import addresses
from edge.media.addresses import Addresses
from edge.media.engine import NoAddress


@pytest.fixture(autouse=True)
def _system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's addresses: one toward everybody, but none toward 2001:db8:dead::/48."""

    def toward(host: str) -> str:
        if host.startswith("2001:db8:dead:"):
            return ""
        if host.startswith("fe80:"):  # the system asks of which interface
            return "fe80::7%eth0" if "%" in host else ""
        return "2001:db8::7" if ":" in host else "192.0.2.7"

    monkeypatch.setattr(addresses, "local_address_toward", toward)


def test_the_family_is_that_in_which_the_peer_receives() -> None:
    ours = Addresses("203.0.113.5", "::")
    assert ours.toward("198.51.100.1") == "203.0.113.5"
    assert ours.toward("2001:db8:1::1") == "2001:db8::7"
    assert ours.toward("198.51.100.1", "2001:db8:1::1") == "2001:db8::7"
    assert ours.toward("2001:db8:1::1", "198.51.100.1") == "203.0.113.5"
    assert ours.toward("") == "203.0.113.5"


def test_the_first_family_may_be_ipv6() -> None:
    ours = Addresses("2001:db8::9", "0.0.0.0")
    assert ours.toward("2001:db8:1::1") == ours.toward("") == "2001:db8::9"
    assert ours.toward("198.51.100.1") == "192.0.2.7"


def test_an_address_that_is_known_is_told_without_asking() -> None:
    ours = Addresses("203.0.113.5", "2001:db8::8")
    assert ours.toward("2001:db8:dead::1") == "2001:db8::8"


def test_a_zone_of_this_machine_is_nobody_else_s() -> None:
    assert Addresses("203.0.113.5", "::").toward("fe80::1%eth0") == "fe80::7"


def test_audio_at_a_link_local_address_is_looked_for_where_its_sip_comes_from() -> None:
    for told in ("::", "2001:db8::7"):
        assert Addresses("203.0.113.5", told).toward("2001:db8:1::1", "fe80::1") == "2001:db8::7"
    assert Addresses("203.0.113.5", "2001:db8::7").toward("198.51.100.1", "fe80::1") == "2001:db8::7"
    with pytest.raises(NoAddress, match="fe80::1: there is no way to it"):
        Addresses("203.0.113.5", "::").toward("198.51.100.1", "fe80::1")


def test_without_an_address_of_its_family_it_is_said_why() -> None:
    with pytest.raises(NoAddress, match=r"no IPv6 address of ours .* 2001:db8:1::1: sip\.listen has none"):
        Addresses("203.0.113.5").toward("198.51.100.1", "2001:db8:1::1")
    with pytest.raises(NoAddress, match=r"no IPv4 address of ours .* 198\.51\.100\.1"):
        Addresses("2001:db8::9").toward("198.51.100.1")
    with pytest.raises(NoAddress, match="2001:db8:dead::1: there is no way to it"):
        Addresses("203.0.113.5", "::").toward("2001:db8:dead::1")
