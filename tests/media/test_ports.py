"""The stock of ports: even, random, bound by us alone, at rest between two uses."""

import select
import socket
from collections.abc import Iterator, Sequence

import pytest

from edge.media.ports import PortPair, Ports, connected_beside
from edge.media.reactor import Reactor
from edge.media.room import Spare, share_of
from tests.support.ports import free_media_ports, own_address

RANGE = list(range(20000, 20040, 2))


class Stock:
    def __init__(self, reactor: Reactor, *hosts: str, numbers: Sequence[int] = RANGE) -> None:
        self.announced: list[int] = []
        self.reactor = reactor
        self.ports = Ports(
            reactor,
            hosts,
            list(numbers),
            self.announced.extend,
            quarantine_s=5,
            spare=Spare(100),
        )

    def take(self, count: int, now: float) -> list[int]:
        self.announced.clear()
        self.ports.want(count, now)
        self.reactor.pacer.run(int(now * 1000) + 50)
        return list(self.announced)

    def give_back(self, number: int, now: float) -> None:
        pair = self.ports.get(number)
        assert pair is not None
        self.ports.rest(pair, now)


@pytest.fixture
def host() -> str:
    return own_address()


@pytest.fixture
def stock(host: str) -> Iterator[Stock]:
    with Reactor() as reactor:
        made = Stock(reactor, host)
        yield made
        made.ports.close()


@pytest.mark.parametrize(("open_files", "bound"), [(4096, 1000), (264, 100)])
def test_a_worker_binds_its_ports_in_random_order(open_files: int, bound: int) -> None:
    ports = range(20000, 22000, 2)
    numbers, _ = share_of(ports, open_files=open_files, families=1)
    assert len(set(numbers)) == bound
    assert set(numbers) <= set(ports)
    assert numbers != sorted(numbers)


def test_ports_are_bound_in_pairs(stock: Stock, host: str) -> None:
    taken = stock.take(20, 0)
    assert taken == RANGE
    for port in (taken[0], taken[0] + 1):
        with socket.socket(type=socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
            other.bind((host, port))


def test_another_server_that_shares_ports_does_not_get_ours(stock: Stock, host: str) -> None:
    """Two servers of one user: neither may take the other's port, though both set SO_REUSEPORT."""
    with Reactor() as reactor:
        second = Stock(reactor, host)
        ours, theirs = stock.take(10, 0), second.take(10, 0)
        second.ports.close()
    assert len(ours) == len(theirs) == 10
    assert not set(ours) & set(theirs)


def test_a_port_in_use_by_somebody_else_is_skipped_and_tried_again(stock: Stock, host: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as rtp, socket.socket(type=socket.SOCK_DGRAM) as rtcp:
        rtp.bind((host, 20004))
        rtcp.bind((host, 20011))
        taken = stock.take(20, 0)
        assert sorted(taken) == sorted(set(RANGE) - {20004, 20010})
    stock.announced.clear()
    stock.ports.supply(1)
    assert sorted(stock.announced) == [20004, 20010]


def test_free_ports_are_found_past_many_that_somebody_else_holds(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As beside a server that has most of the range."""
    held, bind = set(range(20000, 20200, 2)), Ports._bind
    monkeypatch.setattr(Ports, "_bind", lambda self, number: number not in held and bind(self, number))
    with Reactor() as reactor:
        stock = Stock(reactor, host, numbers=[])
        stock.ports._fresh.extend([*sorted(held), *range(20200, 20220, 2)])
        assert sorted(stock.take(20, 0)) == list(range(20200, 20220, 2))
        assert not stock.ports._binding, "each was tried"
        held.clear()
        stock.ports.supply(1)
        reactor.pacer.run(2000)
        assert len(stock.announced) == 20
        stock.ports.close()


def test_a_port_rests_before_it_is_announced_again(stock: Stock) -> None:
    taken = stock.take(20, 0)
    stock.give_back(taken[0], 10.0)
    assert stock.take(1, 14.9) == []
    stock.ports.supply(15.0)
    assert stock.announced == [taken[0]]


def test_no_more_is_announced_than_was_wanted(stock: Stock) -> None:
    for number in stock.take(5, 0):
        stock.give_back(number, 0)
    stock.announced.clear()
    stock.ports.supply(100)
    assert stock.announced == []


def test_an_order_that_can_not_be_met_is_answered_with_nothing(host: str) -> None:
    answers: list[list[int]] = []
    with Reactor() as reactor:
        ports = Ports(
            reactor,
            [host],
            [],
            answers.append,
            quarantine_s=5,
            spare=Spare(100),
        )
        ports.want(1, 0)
    assert answers == [[]]


class Hears:
    """As much of a leg as a pair tells of its datagrams."""

    def __init__(self, pair: PortPair) -> None:
        self.heard: list[bytes] = []
        self._pair = pair
        pair.user = self

    def on_rtp(self, now: float) -> None:
        self.heard.append(self._pair.rtp.recv(100))

    def on_rtcp(self, now: float) -> None:
        self.heard.append(self._pair.rtcp.recv(100))


@pytest.fixture
def both(host: str) -> Iterator[tuple[Stock, PortPair]]:
    """Two ports of IPv4 and IPv6, one of which somebody holds in IPv6; and the other one."""
    first = free_media_ports(host, "::")
    with Reactor() as reactor, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::1", first))
        stock = Stock(reactor, host, "::", numbers=[first, first + 2])
        assert stock.take(2, 0) == [first + 2]
        pair = stock.ports.get(first + 2)
        assert pair is not None
        yield stock, pair
        stock.ports.close()
        assert all(half.rtp.fileno() == half.rtcp.fileno() == -1 for half in pair.halves)


def test_where_peers_are_of_both_families_a_port_is_bound_in_both(both: tuple[Stock, PortPair]) -> None:
    _, pair = both
    for peer, family in (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6)):
        pair.face(peer)
        assert (pair.rtp.family, pair.rtcp.family) == (family, family)
        assert (pair.rtp.getsockname()[1], pair.rtcp.getsockname()[1]) == (pair.number, pair.number + 1)
    with connected_beside(pair, ("::1", 9)) as connected:
        for each in (pair.rtp, pair.rtcp, connected):
            assert each.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@pytest.mark.parametrize(("peer", "mine", "other"), [("192.0.2.1", 0, 1), ("2001:db8::1", 1, 0)])
def test_a_leg_hears_the_family_of_its_peer_and_no_other(
    both: tuple[Stock, PortPair], host: str, peer: str, mine: int, other: int
) -> None:
    stock, pair = both
    leg = Hears(pair)
    pair.face(peer)
    at, families = (host, "::1"), (socket.AF_INET, socket.AF_INET6)
    for family, text in ((other, b"a stranger's"), (mine, b"its peer's")):
        with socket.socket(families[family], socket.SOCK_DGRAM) as sender:
            for port in (pair.number, pair.number + 1):
                sender.sendto(text, (at[family], port))
    for _ in range(4):
        stock.reactor.run_once(0)
    assert leg.heard == [b"its peer's"] * 2
    idle = pair.halves[other]
    assert not select.select([idle.rtp, idle.rtcp], [], [], 0)[0], "they would wake the worker for ever"
