"""RFC 3263 over a table of records: which transport, which servers, in which order."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from edge.sip.avoided import AVOID_S, Avoided
from edge.sip.dns import Kind, LookupFailed, Naptr, Records, Srv
from edge.sip.events import Destination
from edge.sip.resolver import LIMIT_S, Resolver, Unresolvable, in_order
from tests.support.virtual_time import VirtualClock, run_virtual

A = {"a.example": "192.0.2.1", "b.example": "192.0.2.2", "pbx.example": "192.0.2.9"}


class Table:
    """Names and their records; ``silent`` kinds never answer, ``failing`` ones fail."""

    def __init__(self, records: Mapping[tuple[str, str], list[Any]], *, silent: str = "", failing: str = ""):
        self.records = {**{(name, "A"): [address] for name, address in A.items()}, **records}
        self.silent, self.failing = silent.split(), failing.split()
        self.asked: list[tuple[str, str]] = []

    async def look_up(self, name: str, kind: Kind) -> Records:
        self.asked.append((name, kind))
        if kind in self.silent:
            await asyncio.sleep(3600)
        if kind in self.failing:
            raise LookupFailed("the DNS servers do not answer")
        return tuple(self.records.get((name, kind), ()))


def found(uri: str, records: Mapping[tuple[str, str], list[Any]], **faults: str) -> list[Destination]:
    table = Table(records, **faults)

    async def story(_: VirtualClock) -> list[Destination]:
        return await Resolver(table, lambda: 0.0).resolve(uri)

    return run_virtual(story)


def srv(target: str, priority: int = 1, weight: int = 1, port: int = 5070) -> Srv:
    return Srv(priority, weight, port, target)


NAPTR = [
    Naptr(20, 1, "s", "SIP+D2U", "_sip._udp.example.com"),
    Naptr(10, 2, "s", "SIP+D2T", "_sip._tcp.example.com"),
    Naptr(10, 1, "s", "SIPS+D2T", "_sips._tcp.example.com"),
    Naptr(1, 1, "s", "SIP+D2S", "_sip._sctp.example.com"),
    Naptr(1, 1, "u", "E2U+SIP", "enum.example.com"),
]
SERVERS = {
    ("_sip._udp.example.com", "SRV"): [srv("a.example")],
    ("_sip._tcp.example.com", "SRV"): [srv("b.example")],
    ("_sips._tcp.example.com", "SRV"): [srv("b.example", port=5071)],
}


def test_naptr_chooses_the_transports_in_its_order() -> None:
    assert found("sip:x@Example.com", {("example.com", "NAPTR"): NAPTR, **SERVERS}) == [
        Destination("tls", "192.0.2.2", 5071, "Example.com"),
        Destination("tcp", "192.0.2.2", 5070),
        Destination("udp", "192.0.2.1", 5070),
    ]


@pytest.mark.parametrize("faults", [{}, {"failing": "NAPTR"}])
def test_without_naptr_all_services_are_tried_udp_first(faults: dict[str, str]) -> None:
    transports = [to.transport for to in found("sip:x@example.com", SERVERS, **faults)]
    assert transports == ["udp", "tcp", "tls"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sips:x@example.com", [Destination("tls", "192.0.2.2", 5071, "example.com")]),
        ("sip:x@example.com;transport=tcp", [Destination("tcp", "192.0.2.2", 5070)]),
        ("sip:x@pbx.example", [Destination("udp", "192.0.2.9", 5060)]),
        ("sips:x@pbx.example", [Destination("tls", "192.0.2.9", 5061, "pbx.example")]),
        ("sip:x@pbx.example:5080", [Destination("udp", "192.0.2.9", 5080)]),
    ],
)
def test_what_the_uri_says_comes_first(uri: str, expected: list[Destination]) -> None:
    assert found(uri, SERVERS) == expected


def test_a_named_port_asks_for_no_services() -> None:
    table = Table(SERVERS)
    asyncio.run(Resolver(table, lambda: 0.0, ipv6=False).resolve("sip:x@a.example:5060"))
    assert table.asked == [("a.example", "A")]


NOWHERE = [srv("", 0, 0, 0)]
HERE = {("example.com", "A"): ["192.0.2.3"]}


@pytest.mark.parametrize(
    ("uri", "records"),
    [
        ("sip:x@example.com", {("_sip._udp.example.com", "SRV"): NOWHERE}),
        ("sip:x@example.com;transport=tcp", {("_sip._tcp.example.com", "SRV"): NOWHERE}),
        ("sips:x@example.com", {("_sips._tcp.example.com", "SRV"): NOWHERE}),
        (
            "sip:x@example.com",
            {("example.com", "NAPTR"): NAPTR[1:2], ("_sip._tcp.example.com", "SRV"): NOWHERE},
        ),
    ],
)
def test_a_service_that_is_offered_nowhere_is_not_looked_for_at_the_domain_s_own_address(
    uri: str, records: Mapping[tuple[str, str], list[Any]]
) -> None:
    with pytest.raises(Unresolvable, match="not offered"):
        found(uri, {**HERE, **records})


def test_a_service_that_is_offered_nowhere_leaves_the_others() -> None:
    udp = {("_sip._udp.example.com", "SRV"): NOWHERE}
    tcp = {("_sip._tcp.example.com", "SRV"): [srv("b.example")]}
    assert found("sip:x@example.com", {**HERE, **udp, **tcp}) == [Destination("tcp", "192.0.2.2", 5070)]
    no_tcp = {("_sip._tcp.example.com", "SRV"): NOWHERE}
    assert found("sip:x@example.com", {**HERE, **no_tcp}) == [Destination("udp", "192.0.2.3", 5060)]
    assert found("sip:x@example.com:5070", {**HERE, **udp}) == [Destination("udp", "192.0.2.3", 5070)]


def test_the_name_to_prove_has_no_final_dot() -> None:
    (found_,) = found("sip:x@Secure.example.:5061;transport=tls", {("secure.example", "A"): ["192.0.2.8"]})
    assert (found_.host, found_.name) == ("192.0.2.8", "Secure.example")


def test_servers_without_an_address_give_way_to_the_next() -> None:
    records = {("_sip._udp.example.com", "SRV"): [srv("gone.example", 1), srv("a.example", 2)]}
    assert [to.host for to in found("sip:x@example.com", records)] == ["192.0.2.1"]


def test_every_address_of_a_server_counts() -> None:
    records = {("many.example", "A"): [f"192.0.2.{n}" for n in range(20, 40)]}
    assert [to.host for to in found("sip:x@many.example", records)] == [f"192.0.2.{n}" for n in range(20, 28)]
    both = {("both.example", "A"): ["192.0.2.7"], ("both.example", "AAAA"): ["2001:db8::7"]}
    assert [to.host for to in found("sip:x@both.example", both)] == ["192.0.2.7", "2001:db8::7"]


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({}, "no such name"),
        ({"failing": "A AAAA"}, "do not answer"),
        ({"silent": "A"}, f"within {LIMIT_S:g} s"),
        ({"silent": "NAPTR"}, f"within {LIMIT_S:g} s"),
    ],
)
def test_what_can_not_be_found_is_told_in_time(faults: dict[str, str], words: str) -> None:
    with pytest.raises(Unresolvable, match=words):
        found("sip:x@nowhere.example", {}, **faults)


def test_a_service_that_is_not_there_is_said_by_a_dot() -> None:
    with pytest.raises(Unresolvable):
        found("sip:x@example.com", {("_sip._udp.example.com", "SRV"): [srv("")]})


def test_servers_that_all_have_no_weight_share_the_calls() -> None:
    records = [srv(name, weight=0) for name in "abcd"]
    draws = [n / 100 for n in range(100)]
    first = Counter(in_order(records, lambda at=at: at)[0].target for at in draws)  # type: ignore[misc]
    assert first == {"a": 25, "b": 25, "c": 25, "d": 25}
    assert {record.target for record in in_order(records, lambda: 0.999)} == set("abcd")


def test_srv_order_is_by_priority_then_by_weight() -> None:
    records = [srv("late", 2, 100), srv("one", 1, 1), srv("three", 1, 3), srv("never", 1, 0)]
    draws = [(place + 0.5) / 1000 for place in range(1000)]
    first = Counter(in_order(records, lambda at=at: at)[0].target for at in draws)  # type: ignore[misc]
    assert (first["one"], first["three"], first["late"]) == (250, 750, 0)
    assert [record.target for record in in_order(records, lambda: 0.999)][-1] == "late"


def test_an_address_that_failed_is_tried_last_for_a_while() -> None:
    clock = VirtualClock()
    avoided = Avoided(clock.monotonic)
    first, second = Destination("udp", "192.0.2.1", 5060), Destination("udp", "192.0.2.2", 5060)
    avoided.add(first)
    assert avoided.sorted([first, second]) == [second, first]
    avoided.add(second)
    assert avoided.sorted([first, second]) == [first, second]
    avoided.remove(second)
    clock.advance(AVOID_S - 1)
    assert avoided.sorted([first, second]) == [second, first]
    clock.advance(1)
    assert avoided.sorted([first, second]) == [first, second]
