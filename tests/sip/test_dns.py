"""Look-ups against a real (small) DNS server: what is kept, for how long, and what a silent one costs."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.asyncresolver
import dns.exception
import pytest

from edge.sip.dns import FAILED_S, LOOKUP_S, MISSING_S, PATIENCE_S, STALE_S, Dns, LookupFailed, Naptr, Srv
from edge.sip.resolver import LIMIT_S
from tests.support.dns_server import TTL, DnsServer, Zone, dns_server
from tests.support.virtual_time import VirtualClock

ZONE = {
    ("pbx.example", "A"): ["192.0.2.1", "192.0.2.2"],
    ("_sip._udp.pbx.example", "SRV"): ["10 20 5070 PBX.example."],
    ("pbx.example", "NAPTR"): ['10 5 "S" "sip+d2u" "" _sip._udp.pbx.example.'],
    ("alias.example", "CNAME"): ["pbx.example."],
}


@asynccontextmanager
async def world(zone: Zone, hosts: Path) -> AsyncIterator[tuple[Dns, DnsServer, VirtualClock]]:
    async with dns_server(zone) as server:
        clock = VirtualClock()
        looked = Dns(clock, [server.address], hosts)
        try:
            yield looked, server, clock
        finally:
            await looked.close()


async def test_records_of_every_kind(tmp_path: Path) -> None:
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, _, _):
        assert set(await looked.look_up("pbx.example", "A")) == {"192.0.2.1", "192.0.2.2"}
        assert await looked.look_up("_sip._udp.pbx.example", "SRV") == (Srv(10, 20, 5070, "pbx.example"),)
        assert await looked.look_up("pbx.example", "NAPTR") == (
            Naptr(10, 5, "s", "SIP+D2U", "_sip._udp.pbx.example"),
        )
        assert await looked.look_up("pbx.example", "AAAA") == ()
        assert await looked.look_up("none.example", "A") == ()


async def test_an_answer_is_kept_for_its_ttl_and_asked_for_once_at_a_time(tmp_path: Path) -> None:
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, server, clock):
        answers = await asyncio.gather(*(looked.look_up("pbx.example", "A") for _ in range(50)))
        assert len(set(answers)) == 1
        clock.advance(TTL - 1)
        await looked.look_up("pbx.example", "A")
        assert server.asked["pbx.example", "A"] == 1
        server.zone["pbx.example", "A"] = ["192.0.2.3"]
        clock.advance(2)
        assert await looked.look_up("pbx.example", "A") == ("192.0.2.3",)


async def test_a_missing_name_is_remembered_too(tmp_path: Path) -> None:
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, server, clock):
        for _ in range(3):
            assert await looked.look_up("none.example", "SRV") == ()
        assert server.asked["none.example", "SRV"] == 1
        clock.advance(MISSING_S[1])
        await looked.look_up("none.example", "SRV")
        assert server.asked["none.example", "SRV"] == 2


async def test_while_servers_fail_the_last_answer_serves_and_they_are_spared(tmp_path: Path) -> None:
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, server, clock):
        known = set(await looked.look_up("pbx.example", "A"))
        server.broken.add("A")
        clock.advance(TTL + 1)
        assert set(await looked.look_up("pbx.example", "A")) == known
        asked = server.asked["pbx.example", "A"]
        assert set(await looked.look_up("pbx.example", "A")) == known
        assert server.asked["pbx.example", "A"] == asked
        with pytest.raises(LookupFailed, match="can not answer"):
            await looked.look_up("other.example", "A")
        clock.advance(FAILED_S)
        server.broken.clear()
        assert set(await looked.look_up("pbx.example", "A")) == known
        assert server.asked["pbx.example", "A"] > asked
        server.broken.add("A")
        clock.advance(TTL + STALE_S + 1)
        with pytest.raises(LookupFailed):
            await looked.look_up("pbx.example", "A")


async def test_a_silent_server_costs_a_second_at_most_and_once(tmp_path: Path) -> None:
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, server, _):
        server.silent = True
        async with asyncio.timeout(4):  # a question of the library's own would take 5 s
            with pytest.raises(LookupFailed, match="do not answer"):
                await looked.look_up("pbx.example", "A")
            asked = server.asked["pbx.example", "A"]
            with pytest.raises(LookupFailed):
                await looked.look_up("pbx.example", "A")
        assert server.asked["pbx.example", "A"] == asked


async def test_who_was_known_is_not_waited_for_while_the_servers_are_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name takes three look-ups one after the other: where each waited in vain none was found in time."""
    assert 3 * PATIENCE_S < LIMIT_S and 2 * LOOKUP_S < LIMIT_S
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, server, clock):
        known = await looked.look_up("pbx.example", "A")
        clock.advance(TTL + 1)
        server.silent = True
        monkeypatch.setattr("edge.sip.dns.LOOKUP_S", 600.0)
        async with asyncio.timeout(60):
            assert await looked.look_up("pbx.example", "A") == known


async def test_the_system_s_servers_are_looked_up_anew_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, asked = tmp_path / "resolv.conf", []

    async def resolve(self: dns.asyncresolver.Resolver, *_: object, **__: object) -> None:
        asked.append(list(self.nameservers))
        raise dns.exception.Timeout

    monkeypatch.setattr(dns.asyncresolver.Resolver, "resolve", resolve)
    looked = Dns(VirtualClock(), (), tmp_path / "hosts", system)

    async def ask(name: str) -> str:
        with pytest.raises(LookupFailed) as failed:
            await looked.look_up(name, "A")
        return str(failed.value)

    assert "no DNS server" in await ask("a.example")
    for changed, server in enumerate(("192.0.2.98", "192.0.2.99")):
        system.write_text(f"nameserver {server}\n")
        os.utime(system, ns=(changed, changed))
        assert "do not answer" in await ask(f"{changed}.example")
    assert asked == [["192.0.2.98"], ["192.0.2.99"]]


async def test_a_name_in_the_hosts_file_has_no_other_addresses(tmp_path: Path) -> None:
    """As everywhere: or calls to a host that was moved there would go to its public address as well."""
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.50 pbx.example\n2001:db8::5 six.example\n")
    more = {("pbx.example", "AAAA"): ["2001:db8::1"], ("six.example", "A"): ["192.0.2.6"]}
    async with world({**ZONE, **more}, hosts) as (looked, server, _):
        assert await looked.look_up("pbx.example", "AAAA") == ()
        assert not server.asked
        assert await looked.look_up("six.example", "A") == ("192.0.2.6",)


async def test_the_hosts_file_comes_first_and_is_read_anew(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# ours\n192.0.2.50 PBX.example other # no\n2001:db8::5 pbx.example\nnonsense\n")
    async with world(dict(ZONE), hosts) as (looked, server, _):
        assert await looked.look_up("pbx.example", "A") == ("192.0.2.50",)
        assert await looked.look_up("pbx.example", "AAAA") == ("2001:db8::5",)
        assert not server.asked
        hosts.unlink()
        assert len(await looked.look_up("pbx.example", "A")) == 2


async def test_what_is_no_name_is_told(tmp_path: Path) -> None:
    async with world(dict(ZONE), tmp_path / "hosts") as (looked, _, _):
        for name in ("a..b", "x" * 70 + ".example"):
            with pytest.raises(LookupFailed, match="no name"):
                await looked.look_up(name, "A")
