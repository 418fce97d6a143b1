"""What ``edge check`` says of the machine's addresses."""

import socket

import pytest

from edge.commands import network_checks
from edge.commands.finding import Finding
from edge.settings import Settings
from edge.settings.sections import SipSection


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
