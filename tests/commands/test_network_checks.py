"""What ``edge check`` says of the machine's addresses."""

import socket

import pytest
from pydantic import SecretStr

from edge.commands import network_checks, peer_checks
from edge.commands.finding import Finding
from edge.model.sip import RegisterSpec, SipSettings
from edge.settings import Settings
from edge.settings.sections import SipSection
from tests.routing.world import target, trunk


def warnings(listen: str) -> list[Finding]:
    settings = Settings(sip=SipSection(listen=(listen,)))
    return [found for found in network_checks.listeners(settings, running=False) if found.level == "warn"]


def test_of_several_addresses_the_one_that_answers_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a floating address: its answers would come from the other one."""
    two = {"eth0": ["192.0.2.5", "192.0.2.9"], "eth1": ["10.0.0.5"]}
    monkeypatch.setattr(network_checks, "interfaces", lambda: two)
    [warning] = warnings("udp://0.0.0.0:0")
    assert "eth0 has 2 addresses (192.0.2.5, 192.0.2.9)" in warning.text
    assert "list that address in sip.listen" in str(warning.remedy)
    assert not warnings("udp://127.0.0.1:0")
    assert not warnings("tcp://0.0.0.0:0")  # a connection keeps the address that was called


def test_the_addresses_of_this_machine() -> None:
    found = network_checks.interfaces()
    assert set(found) <= {name for _, name in socket.if_nameindex()} - {"lo"}
    for addresses in found.values():
        for address in addresses:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.bind((address, 0))


def second_family(monkeypatch: pytest.MonkeyPatch, own: str, *listen: str) -> list[Finding]:
    """What is said of the family that is not the first, on a machine with that address."""
    monkeypatch.setattr(network_checks, "local_address_toward", lambda _: own)
    settings = Settings(sip=SipSection(listen=listen, advertised_address="203.0.113.5"))
    return [found for found in network_checks.advertised(settings) if "IPv6" in found.text]


def test_what_peers_by_ipv6_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    four, six = "udp://0.0.0.0:5060", "udp://[::]:5060"
    assert not second_family(monkeypatch, "2a01:4f8::7", four)
    [told] = second_family(monkeypatch, "2a01:4f8::7", four, six)
    assert (told.level, told.text) == ("ok", "audio by IPv6: peers are told 2a01:4f8::7")
    [none] = second_family(monkeypatch, "", four, six)
    assert none.level == "warn" and "no IPv6 address that leads to the Internet" in none.text
    [private] = second_family(monkeypatch, "fd00::7", four, six)
    assert private.level == "warn" and "fd00::7, which is private" in private.text
    [listener] = second_family(monkeypatch, "", four, "udp://[2a01:4f8::8]:5060")
    assert listener.text.endswith("told 2a01:4f8::8")


@pytest.mark.parametrize("running", [True, False])
def test_media_ports_are_looked_for_in_each_family(monkeypatch: pytest.MonkeyPatch, running: bool) -> None:
    tried = []

    def look(transport: str, host: str, port: int) -> None:
        tried.append(host)

    monkeypatch.setattr(network_checks, "bind_error", look)
    listen = ("udp://127.0.0.1:5060", "udp://[::1]:5060")
    list(network_checks.media_ports(Settings(sip=SipSection(listen=listen)), running=running))
    assert set(tried) == (set() if running else {"0.0.0.0", "::"})


def test_open_files_that_are_too_few_for_the_calls_that_are_admitted_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network_checks, "bind_error", lambda *_: None)
    monkeypatch.setattr(network_checks, "workers_of", lambda _: 2)
    found = []
    for files in (6064, 10064):  # two files a port and one for its peer; or four and one
        for listen in (("udp://127.0.0.1:5060",), ("udp://127.0.0.1:5060", "udp://[::1]:5060")):
            monkeypatch.setattr(network_checks, "most", lambda files=files: files)
            settings = Settings(sip=SipSection(listen=listen))
            found += network_checks.media_ports(settings, running=True)
    assert [one.level for one in found] == ["ok", "warn", "ok", "ok"]
    assert found[1].text == "6064 open files a process are enough for 1200 calls; calls.max_live is 2000"
    assert "allow 10064 (LimitNOFILE" in str(found[1].remedy)


def test_who_is_of_a_family_in_which_we_do_not_listen_is_named() -> None:
    def said(*listen: str) -> list[Finding]:
        sip = SipSection(listen=listen)
        found = peer_checks.of_addresses("target x", ["2001:db8::1"], sip)
        return [*found, *peer_checks.of_addresses("target y", ["2001:db8::1", "192.0.2.1"], sip)]

    [missing] = said("udp://0.0.0.0:5060")
    assert missing.level == "fail" and "target x is at 2001:db8::1" in missing.text
    assert "udp://[::]:5060" in str(missing.remedy)
    assert not said("udp://0.0.0.0:5060", "tcp://[::]:5060")


def test_an_address_behind_nat_is_told_to_its_own_family_alone() -> None:
    sip = SipSection(listen=("udp://0.0.0.0:5060", "udp://[::]:5060"), advertised_address="203.0.113.5")
    assert not list(peer_checks.of_addresses("target x", ["fd00::5"], sip))
    [told] = peer_checks.of_addresses("target y", ["10.0.0.5"], sip)
    assert "10.0.0.5, which is told 203.0.113.5" in told.text


def test_what_is_looked_up_is_what_is_dialled() -> None:
    """A target whose address has placeholders was said to be malformed, and is not."""
    account = RegisterSpec(registrar="sip:reg.example", username="us", password=SecretStr("x"))
    peers = [
        trunk(proxy="sip:proxy.example", register=account, sip=SipSettings(transport="tcp")),
        target("tgt_1", address="sip:[caller_number]@pbx.example"),
        target("tgt_2", address="sip:100@[tag:pbx].example"),
        target("tgt_3", address="+13125550199", trunk_ids=("trk_1",)),
        target("tgt_4", address="sips:pbx.example"),
    ]
    assert list(peer_checks.uris_of(peers).values()) == [
        "sip:reg.example;transport=tcp", "sip:proxy.example;transport=tcp", "sip:pbx.example",
        "sips:pbx.example",
    ]  # fmt: skip
