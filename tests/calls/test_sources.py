"""Who may send what: a trunk's rates over all its addresses, and what has none."""

import heapq
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.calls.ports import RefusedCall
from edge.calls.sources import LEAST_MESSAGES, MESSAGES_A_CALL, Login, Sources
from edge.model.config import Target
from edge.networks import Networks
from edge.routing.snapshot import Snapshot
from edge.sip.guard import PROVEN_S, Guard
from edge.sip.meters import Allowance
from edge.sip.streams import NO_HANDSHAKE, TOO_MANY
from tests.calls.test_access import BY_LOGIN, COMMON, trunk
from tests.support.virtual_time import VirtualClock

GATEWAYS = ("192.0.2.1/32", "192.0.2.16/28", "2001:db8::/64")
PROXY = "192.0.2.20"
MOST = 10_000.0
EVERY = ("192.0.2.1", "192.0.2.17", "2001:db8::7")


@dataclass
class World:
    """Sources of a configuration, and what was noted of them."""

    current: Snapshot
    noted: list[RefusedCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.sources = Sources(
            self, self, self.clock, most=MOST, proxies=Networks.of([PROXY]),
            never_ban=Networks.of(["203.0.113.0/24"]),
        )  # fmt: skip

    def note(self, refused: RefusedCall) -> None:
        self.noted.append(refused)

    def over(self, host: str, times: int) -> int:
        """How many of so many calls at once are too many."""
        return sum(self.sources.over(host) for _ in range(times))

    def allowed(self, host: str, *, dialled: bool = False) -> Allowance:
        return self.sources.allowance(host, dialled=dialled)


def world(*trunks: Any, **more: Any) -> World:
    return World(Snapshot.build(trunks=trunks, **more))


def test_a_trunk_s_calls_are_over_twice_its_rate_over_all_its_addresses() -> None:
    seen = world(trunk(addresses=GATEWAYS, max_cps=6), trunk("trk_2", addresses=("192.0.2.2/32",)))
    assert [seen.over(host, 5) for host in EVERY] == [0, 0, 3]
    seen.clock.advance(1)
    assert seen.over(EVERY[0], 50) == 38
    assert seen.over("192.0.2.2", 500) == seen.over("198.51.100.7", 500) == 0


def test_what_comes_from_an_address_that_trunks_share_is_of_none_of_them_until_it_is_read() -> None:
    one, other = ({**BY_LOGIN, "username": name, "addresses": GATEWAYS, "max_cps": 1} for name in ("a", "b"))
    seen = world(trunk(**one), trunk("trk_2", **other))
    assert seen.over(EVERY[0], 50) == 0
    assert seen.allowed(EVERY[0]) == Allowance(EVERY[0], MOST)


def test_calls_that_come_twice_for_their_credentials_have_twice_the_room() -> None:
    assert world(trunk(addresses=GATEWAYS, max_cps=2, **BY_LOGIN)).over(EVERY[0], 20) == 12


def test_without_any_rate_nothing_is_looked_up() -> None:
    assert world(trunk(addresses=GATEWAYS)).over(EVERY[0], 500) == 0


def test_who_logged_in_is_its_trunk_for_a_day_unless_the_address_is_shared() -> None:
    one, other = trunk(max_cps=1, **BY_LOGIN), trunk("trk_2", **{**BY_LOGIN, "username": "them"})
    seen = world(one, other)
    seen.sources.logged_in("198.51.100.7", one)
    assert seen.over("198.51.100.7", 10) == 6
    assert seen.allowed("198.51.100.7") == Allowance("trk_1", LEAST_MESSAGES)
    seen.clock.advance(PROVEN_S)
    assert seen.over("198.51.100.7", 10) == 0
    seen.sources.logged_in("198.51.100.7", one)
    seen.sources.logged_in("198.51.100.7", other)
    assert seen.over("198.51.100.7", 10) == 0
    assert seen.allowed("198.51.100.7") == Allowance("198.51.100.7", MOST)


def test_a_trunk_s_messages_have_a_rate_that_no_honest_one_reaches() -> None:
    seen = world(trunk(addresses=GATEWAYS, max_cps=100), trunk("trk_2", addresses=("192.0.2.2/32",)))
    wanted = Allowance("trk_1", 100 * MESSAGES_A_CALL)
    assert [seen.allowed(host) for host in EVERY] == [wanted] * 3
    assert seen.allowed("192.0.2.2") == Allowance("trk_2", MOST), "no max_cps: what the server can take"


@pytest.mark.parametrize(("calls", "over_s"), [(400, 1.0), (5000, 15.0)])
def test_the_calls_of_a_slow_trunk_may_all_hang_up_within_a_second(calls: int, over_s: float) -> None:
    """Their BYEs count as well.  What is dropped comes again, as RFC 3261 17.1.2 repeats it over UDP."""
    seen = world(trunk(addresses=GATEWAYS, max_cps=2))
    guard = Guard(seen.clock.monotonic, seen.sources)
    start = seen.clock.monotonic()
    byes = [(start + number / calls, 0.5) for number in range(calls)]
    while byes:
        at, wait_s = heapq.heappop(byes)
        seen.clock.advance(at - seen.clock.monotonic())
        if not guard.admits(EVERY[0]):
            heapq.heappush(byes, (at + wait_s, min(2 * wait_s, 4.0)))
    assert seen.clock.monotonic() - start < over_s


def test_nobody_may_send_more_than_the_server_can_take() -> None:
    assert world(trunk(addresses=GATEWAYS, max_cps=5000)).allowed(EVERY[0]).per_second == MOST


def test_what_we_dial_is_paced_by_itself_and_not_as_a_trunk_for_its_answers_count() -> None:
    pbx = Target(id="tgt_1", name="pbx", address=f"sip:a@{EVERY[0]}", **COMMON)
    seen = world(trunk(addresses=GATEWAYS, max_cps=1), targets=[pbx])
    assert seen.allowed(EVERY[0]) == Allowance(EVERY[0], MOST)
    assert seen.allowed(EVERY[1]) == Allowance("trk_1", LEAST_MESSAGES)
    assert seen.allowed(EVERY[1], dialled=True) == Allowance(EVERY[1], MOST)


def test_a_proxy_in_front_is_paced_by_itself_whatever_trunk_has_its_address() -> None:
    seen = world(trunk(addresses=GATEWAYS, max_cps=1))
    assert seen.allowed(PROXY) == Allowance(PROXY, MOST)
    assert seen.over(PROXY, 50) == 0


def test_a_flood_is_listed_with_its_remedy() -> None:
    one, other = trunk(addresses=GATEWAYS, max_cps=100), trunk("trk_2", addresses=("192.0.2.2/32",))
    seen = world(one, other)
    for host in (EVERY[0], "192.0.2.2", PROXY):
        seen.sources.flooded(host, seen.allowed(host), 7)
    assert [(noted.source, noted.reason) for noted in seen.noted] == [
        (EVERY[0], "more than 5000 messages per second of trunk trk_1"),
        ("192.0.2.2", "more than 10000 messages per second of trunk trk_2"),
        (PROXY, "more than 10000 messages per second of this address"),
    ]
    assert {noted.times for noted in seen.noted} == {7}
    remedies = [noted.remedy.partition(",")[0] for noted in seen.noted]
    assert remedies == ["raise the trunk's max_cps", *["raise sip.max_messages_per_second"] * 2]


def test_a_login_of_before_the_start_counts_if_it_would_do_now() -> None:
    logins = [Login(f"198.51.100.{n}", f"trk_{n}", 5000.0) for n in (1, 2, 3, 4)]
    seen = world(
        trunk(**BY_LOGIN),
        trunk("trk_2", **{**BY_LOGIN, "username": "them"}, state="paused"),
        trunk("trk_3", **{**BY_LOGIN, "username": "others"}, addresses=GATEWAYS),
    )
    assert [seen.sources.remember(login) for login in logins] == [True, False, False, False]


def test_connections_that_are_not_served_are_listed_with_a_remedy() -> None:
    seen = world(trunk(addresses=GATEWAYS))
    for why in (TOO_MANY, NO_HANDSHAKE):
        seen.sources.cut_off(EVERY[0], why)
    assert [(noted.source, noted.reason) for noted in seen.noted] == [
        (EVERY[0], TOO_MANY), (EVERY[0], NO_HANDSHAKE),
    ]  # fmt: skip
    assert "20 of one address" in seen.noted[0].remedy and "TLS 1.2" in seen.noted[1].remedy


def test_the_allow_list_is_known() -> None:
    seen = world()
    assert seen.sources.knows("203.0.113.9") and not seen.sources.knows("203.0.114.9")
