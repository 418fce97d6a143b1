"""Who is heard at all: buckets, scores, bans and what ends them."""

import pytest

from edge.sip import bans, guard, strangers
from edge.sip.guard import DIALLED_S, PROVEN_S, Guard
from edge.sip.meters import Allowance
from tests.support.known import Known

STRANGER = "203.0.113.9"


class World:
    """A guard, its clock, and the addresses that are known now."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.forged = 0
        self.sources = Known()
        self.guard = Guard(
            lambda: self.now, self.sources, lambda host, data: data == b"nonce " + host.encode()
        )
        self.guard.in_call = lambda data: data == b"in a call"

    def ban(self, host: str = STRANGER) -> None:
        self.guard.offend(host, "scanner")

    def guess(self, host: str = STRANGER) -> None:
        for _ in range(20):
            self.guard.offend(host, "wrong credentials", certain=True)

    def heard(self, host: str = STRANGER, times: int = 1000, data: bytes = b"") -> int:
        return sum(self.guard.admits(host, data) for _ in range(times))

    def heard_over_a_connection(self, host: str = STRANGER, times: int = 1000) -> int:
        return sum(self.guard.pause_s(host) is not None for _ in range(times))


@pytest.fixture
def world() -> World:
    return World()


def test_a_stranger_has_a_burst_and_then_a_rate(world: World) -> None:
    assert world.heard(times=150) == 100
    world.now += 1
    assert world.heard(times=100) == 50
    assert world.guard.counters["dropped_flood"] == 100


def test_a_flood_bans(world: World) -> None:
    assert world.heard(times=500) == 100
    assert [ban.reason for ban in world.guard.active(10)] == ["flood"]
    assert world.guard.counters["dropped_banned"] == 100
    assert world.guard.figures()["bans"] == 1


def test_all_strangers_together_are_bounded(world: World) -> None:
    assert sum(world.heard(f"10.0.{n // 200}.{n % 200}", 2) for n in range(3000)) == 2000


def test_the_known_are_heard_without_bound_from_the_moment_they_are_known(world: World) -> None:
    world.ban()
    assert world.heard() == 0
    world.sources.hosts.add(STRANGER)
    assert world.heard() == 1000
    assert world.guard.active(10) == []


def test_a_score_decays(world: World) -> None:
    for _ in range(3):
        for _ in range(59):
            world.guard.offend(STRANGER, "unknown source")
        world.now += 120
    assert world.guard.active(10) == []
    for _ in range(60):
        world.guard.offend(STRANGER, "unknown source")
    assert world.guard.active(10) != []


def test_a_ban_ends_and_the_next_one_is_longer(world: World) -> None:
    lengths = []
    for _ in range(10):
        world.ban()
        (ban,) = world.guard.active(10)
        lengths.append(ban.until - ban.since)
        world.now = ban.until
        assert world.guard.active(10) == [] and world.guard.admits(STRANGER)
    assert lengths[:3] == [600, 1200, 2400] and lengths[-1] == 86_400
    world.now += bans.MEMORY_S + 1
    world.ban()
    assert world.guard.active(1)[0].times == 1


def test_a_ban_may_be_lifted(world: World) -> None:
    world.ban()
    world.ban("203.0.113.10")
    assert world.guard.lift(STRANGER) and not world.guard.lift(STRANGER)
    assert world.heard(times=1) == 1
    assert world.guard.lift(None) and world.guard.active(10) == []


def test_a_login_and_a_dial_free_from_the_bucket_and_only_the_dialled_from_bans(world: World) -> None:
    world.guard.proven("192.0.2.1")
    world.guard.dialled("192.0.2.2")
    assert world.heard("192.0.2.1") == world.heard("192.0.2.2") == 1000
    for host in ("192.0.2.1", "192.0.2.2"):
        world.guess(host)
    assert (world.heard("192.0.2.1"), world.heard("192.0.2.2")) == (0, 1000)


def test_who_has_logged_in_is_banned_for_nothing_that_can_be_forged(world: World) -> None:
    world.guard.proven(STRANGER)
    for reason in strangers.OFFENCES:
        for _ in range(200):
            world.guard.offend(STRANGER, reason)
    assert world.heard() == 1000 and world.guard.active(10) == []
    world.now += PROVEN_S
    world.ban()
    assert world.heard() == 0


def test_where_a_dialog_goes_on_is_heard_while_it_lives_and_no_more(world: World) -> None:
    world.ban()
    way, another = world.guard.ways.toward(STRANGER), world.guard.ways.toward(STRANGER)
    assert world.heard() == 1000 and world.guard.active(10) == []
    world.ban()
    assert world.heard() == 1000 and not world.guard.is_dialled(STRANGER)
    del way
    world.now += guard.FREE_S
    assert world.heard() == 1000, "one of its dialogs lives"
    del another
    world.now += guard.FREE_S
    assert world.heard() == 0


def test_where_dialogs_go_on_pushes_out_nobody_whom_we_dialled(world: World) -> None:
    world.guard.dialled("192.0.2.1")
    ways = [world.guard.ways.toward(f"10.0.{n >> 8}.{n & 255}") for n in range(strangers.MAX_SOURCES + 1)]
    assert ways and world.guard.is_dialled("192.0.2.1") and world.heard("192.0.2.1") == 1000


def test_who_is_dialled_again_and_again_is_never_pushed_out(world: World) -> None:
    for n in range(2 * strangers.MAX_SOURCES):
        if n % 1000 == 0:
            world.guard.dialled("192.0.2.1")
        world.guard.dialled(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert world.guard.is_dialled("192.0.2.1")
    assert not world.guard.is_dialled("10.0.0.0")


def test_ipv6_sources_are_networks_of_64_bits(world: World) -> None:
    world.ban("2001:db8::1")
    assert world.guard.active(1)[0].source == "2001:db8::/64"
    assert not world.guard.admits("2001:db8::ffff:1") and world.guard.admits("2001:db8:0:1::1")
    assert world.guard.lift("2001:db8::/64")
    world.ban("::ffff:203.0.113.9")
    assert not world.guard.admits(STRANGER)


@pytest.mark.parametrize(
    "written",
    ["2001:db8::/64", "2001:DB8:0::/64", "2001:db8::1", "2001:db8:0:0:ffff::1/64"],
)
def test_a_ban_of_a_network_is_lifted_however_it_is_written(world: World, written: str) -> None:
    world.ban("2001:db8::1")
    assert world.guard.lift(written) and world.guard.admits("2001:db8::1")
    world.ban()
    assert not world.guard.lift("2001:db8::/64") and world.guard.lift(f"{STRANGER}/32")


def test_who_is_known_in_a_banned_network_is_heard_and_its_neighbours_are_not(world: World) -> None:
    world.sources.hosts.add("2001:db8::5")
    world.ban("2001:db8::1")
    assert world.heard("2001:db8::5") == 1000 and world.heard("2001:db8::1") == 0
    assert not world.guard.banned("2001:db8::5") and world.guard.banned("2001:db8::1")
    assert [ban.source for ban in world.guard.active(10)] == ["2001:db8::/64"]


def test_a_ban_is_over_at_once_when_its_source_becomes_known_and_holds_again_when_it_is_not_any_more(
    world: World,
) -> None:
    world.ban()
    for known, heard in ((True, 1000), (False, 0), (True, 1000)):
        (world.sources.hosts.add if known else world.sources.hosts.discard)(STRANGER)
        world.guard.reconsider()
        assert world.heard() == heard
        assert world.guard.banned(STRANGER) is not known
        assert len(world.guard.active(10)) == (not known)


def test_a_full_list_of_bans_takes_up_new_ones_and_a_flood_in_others_names_keeps_nobody_known_off(
    world: World,
) -> None:
    world.guard.proven("192.0.2.1")
    world.sources.hosts.add("192.0.2.2")
    for n in range(bans.MAX_BANS + 100):
        world.ban(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        world.guard.admits(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        world.guard.admits(f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    world.ban()
    assert world.heard() == 0 and world.guard.active(1)[0].source == STRANGER
    assert len(world.guard.active(20_000)) == bans.MAX_BANS
    assert world.heard("192.0.2.1") == world.heard("192.0.2.2") == 1000


def test_strangers_of_one_ipv6_network_share_a_bucket(world: World) -> None:
    assert sum(world.heard(f"2001:db8::{n:x}", 1) for n in range(150)) == 100
    assert sum(world.heard_over_a_connection(f"2001:db8::{n:x}", 1) for n in range(150)) == 100
    assert world.heard("2001:db8:0:1::1", 10) == 10


# -- what may have been sent by somebody else ---------------------------------------------------------


def test_what_is_sent_in_a_source_s_name_does_not_cut_its_connections_off(world: World) -> None:
    world.ban()
    for n in range(3000):
        world.heard(f"10.0.{n // 200}.{n % 200}", 1)
    assert world.heard() == 0 and world.guard.lets_in(STRANGER)
    assert world.heard_over_a_connection() == 99
    (ban,) = world.guard.active(10)
    assert not ban.datagrams_only and ban.reason == "flood", "its own flood is its own fault"
    assert not world.guard.lets_in(STRANGER)


@pytest.mark.parametrize("reason", ["scanner", "bad messages", "unknown source"])
def test_what_comes_over_a_connection_bans_from_datagrams_too(world: World, reason: bans.Reason) -> None:
    for _ in range(60):
        world.guard.offend(STRANGER, reason, certain=True)
    assert world.heard() == 0 == world.heard_over_a_connection()
    assert world.heard(data=b"nonce " + STRANGER.encode()) == 0


def test_where_strangers_may_log_in_one_that_others_had_banned_is_heard_a_little(world: World) -> None:
    world.sources.may_log_in = True
    world.ban()
    assert world.heard(times=500) == 20
    world.now += 1
    assert world.heard(times=500, data=b"something else") == 10
    assert world.heard("203.0.113.10", 200) == 100, "more than that nobody else's flood costs"
    world.guard.offend(STRANGER, "scanner")
    assert world.guard.active(10)[-1].times == 1, "and nothing makes the ban longer while it holds"


def test_who_answers_our_challenge_or_is_in_a_call_is_heard_whatever_comes_in_its_name(world: World) -> None:
    for may_log_in in (True, False):
        world.sources.may_log_in = may_log_in
        world.ban()
        world.heard()
        assert world.heard(times=50, data=b"nonce " + STRANGER.encode()) == 50
        assert world.heard(times=500, data=b"in a call") == 50, "up to what anybody may send"
        assert world.heard("203.0.113.10", 200, b"nonce " + STRANGER.encode()) == 100
        world.now += 1000


def flooded(world: World, seconds: float, different: int, host: str = STRANGER) -> int:
    """How many are heard of 4,000 datagrams a second, of which so many differ."""
    heard = 0
    for _ in range(round(seconds * 4000)):
        world.now += 1 / 4000
        world.forged += 1
        heard += world.heard(host, 1, b"forged %d" % (world.forged % different))
    return heard


@pytest.mark.parametrize("different", [10**9, 1, 100])
def test_a_first_request_that_comes_again_is_heard_whatever_comes_in_its_name(
    world: World, different: int
) -> None:
    world.sources.may_log_in = True
    flooded(world, 5, different)
    assert world.heard(data=b"first", times=1) == 0
    assert 4 <= flooded(world, 0.5, different) <= 6, "no more than without it"
    assert world.heard(data=b"first", times=1) == 1
    assert world.heard(data=b"first", times=10) == 0, "what does not wait is not heard"
    world.sources.may_log_in = False
    flooded(world, 0.5, different)
    assert world.heard(data=b"first", times=1) == 0, "who may not log in has nothing to say"


def test_whatever_names_a_flood_has_a_first_request_that_comes_again_is_heard(world: World) -> None:
    world.sources.may_log_in = True
    for tick in range(70):
        world.now += 0.05
        for n in range(200):
            world.heard(f"10.{tick}.0.{n}", 1, b"forged")
        if tick in (59, 69):
            assert world.heard(data=b"first", times=1) == (tick == 69)


def test_who_waits_is_heard_so_often_and_no_more(world: World) -> None:
    world.sources.may_log_in = True
    flooded(world, 5, 10**9)
    for copy in range(3):
        world.now += 0.5
        heard = sum(world.heard(data=b"patient %d" % n, times=1) for n in range(1000))
        assert heard == (5 if copy == 0 else 25 if copy == 1 else 10)


def test_guesses_in_a_banned_source_s_name_are_none_of_its_own_and_its_own_ban_it(
    world: World,
) -> None:
    world.sources.may_log_in = True
    for _ in range(100):
        world.guard.offend(STRANGER, "no credentials")
    assert world.heard(times=1) == 1
    world.guess()
    assert world.heard() == 0
    assert [ban.datagrams_only for ban in world.guard.active(10)] == [False]


def test_a_login_ends_the_ban_for_what_was_sent_in_its_name(world: World) -> None:
    world.ban()
    world.guard.proven(STRANGER)
    assert world.guard.active(10) == [] and world.guard.figures()["bans"] == 0


def test_bans_of_both_kinds_are_one_to_who_reads_and_lifts_them(world: World) -> None:
    world.ban()
    world.ban("203.0.113.10")
    world.now += 1
    world.guess()
    assert [(ban.source, ban.datagrams_only) for ban in world.guard.active(10)] == [
        (STRANGER, False), ("203.0.113.10", True),
    ]  # fmt: skip
    assert {ban.source: ban.datagrams_only for ban in world.guard.remembered()} == {
        STRANGER: False, "203.0.113.10": True,
    }  # fmt: skip
    assert world.guard.figures()["bans"] == 2
    assert world.guard.lift(STRANGER) and not world.guard.lift(STRANGER)
    assert world.heard(times=1) == 1 == world.heard_over_a_connection(times=1)


def test_only_bans_that_have_an_effect_are_counted(world: World) -> None:
    for host in (STRANGER, "203.0.113.10", "203.0.113.11"):
        world.ban(host)
    world.sources.hosts.add(STRANGER)
    world.guard.dialled("203.0.113.10")
    assert world.guard.figures()["bans"] == len(world.guard.active(10)) == 1


# -- trunks that may send so much and no more -----------------------------------------------------------

GATEWAYS = ("192.0.2.1", "2001:db8::1")


@pytest.fixture
def trunk(world: World) -> World:
    """Two addresses of a trunk that may send 10 messages a second."""
    world.sources.allowances |= dict.fromkeys(GATEWAYS, Allowance("trk_1", 10))
    return world


def test_a_trunk_has_one_bucket_for_all_its_addresses_and_is_never_banned(trunk: World) -> None:
    assert [trunk.heard(host, 15) for host in GATEWAYS] == [15, 5]
    trunk.now += 1
    assert [trunk.heard(host, 500) for host in GATEWAYS] == [10, 0]
    assert trunk.guard.counters["dropped_known_flood"] == 10 + 490 + 500
    assert trunk.sources.floods == [(host, "trk_1") for host in reversed(GATEWAYS)], "told now and then"
    trunk.now += guard.TELL_S
    trunk.heard(GATEWAYS[0], 2)
    assert trunk.sources.flooded_times == 10 + 490 + 500 + 1, "but of all"
    assert trunk.guard.active(10) == [] and trunk.guard.is_free(GATEWAYS[1])


def test_a_trunk_s_streams_are_slowed_down_to_its_rate_and_lose_nothing(trunk: World) -> None:
    pauses = [trunk.guard.pause_s(GATEWAYS[n % 2]) for n in range(50)]
    assert pauses[:20] == [0.0] * 20
    assert pauses[20] == pytest.approx(0.1, abs=1e-4) and pauses[-1] == pytest.approx(3.0)
    assert trunk.guard.counters["slowed_known_flood"] == 30
    assert not trunk.guard.admits(GATEWAYS[0]), "datagrams have the same bucket"
    trunk.now += 3.2
    assert trunk.guard.pause_s(GATEWAYS[0]) == 0.0


def test_a_flood_of_datagrams_in_a_trunk_s_name_does_not_cut_its_connections_off(trunk: World) -> None:
    read = 0.0
    for _ in range(1000):  # ten seconds, in which somebody sends 1,000 forged datagrams each
        trunk.heard(GATEWAYS[0], 1000)
        trunk.now += 0.01
        if trunk.now >= read:
            pause = trunk.guard.pause_s(GATEWAYS[1])
            assert pause is not None and pause <= 0.11, "no longer than its rate of 10 a second wants"
            read = trunk.now + pause


def test_a_flood_in_a_trunk_s_name_leaves_its_calls_what_it_may_send(trunk: World) -> None:
    trunk.heard(GATEWAYS[0])
    assert trunk.heard(GATEWAYS[0], 100) == 0
    assert [trunk.heard(host, 15, b"in a call") for host in GATEWAYS] == [15, 5]
    trunk.now += 1
    trunk.heard(GATEWAYS[0])
    assert trunk.heard(GATEWAYS[1], 100, b"in a call") == 10


def test_an_edit_holds_at_once(trunk: World) -> None:
    assert trunk.heard(GATEWAYS[0], 50) == 20
    trunk.sources.allowances.clear()
    trunk.sources.hosts.add(GATEWAYS[0])
    trunk.guard.reconsider()
    assert trunk.heard(GATEWAYS[0], 50) == 50
    trunk.sources.hosts.clear()
    trunk.guard.reconsider()
    assert trunk.heard(GATEWAYS[0], 500) == 100
    assert not trunk.guard.is_free(GATEWAYS[0])


def test_who_we_dial_is_not_held_to_its_trunk_s_rate_for_it_answers_too(trunk: World) -> None:
    trunk.guard.dialled(GATEWAYS[0])
    assert trunk.heard(GATEWAYS[0], 500) == 500
    trunk.now += DIALLED_S
    assert trunk.heard(GATEWAYS[0], 500) == 20


def test_who_has_logged_in_has_its_trunk_s_bucket_until_it_misbehaves(world: World) -> None:
    world.guard.proven(STRANGER)
    assert world.heard(times=500) == 500
    world.guard.reconsider()
    world.sources.allowances[STRANGER] = Allowance("trk_1", 10)
    assert world.heard(times=500) == 20
    world.guess()
    assert world.heard() == 0


def test_what_costs_more_counts_for_more(world: World) -> None:
    assert sum(world.guard.lets_in(STRANGER, guard.HANDSHAKE) for _ in range(50)) == 10
    world.now += 1
    assert sum(world.guard.lets_in(STRANGER, guard.HANDSHAKE) for _ in range(50)) == 5
    assert sum(world.guard.lets_in(f"192.0.2.{n}", guard.HANDSHAKE) for n in range(250)) < 200


def test_what_takes_longer_to_read_counts_for_more(world: World) -> None:
    assert world.heard(times=50, data=bytes(60_000)) == 100 // 15
    assert world.heard("203.0.113.10", 50, bytes(8192)) == 100 // 3
    assert sum(world.guard.pause_s(STRANGER, 60_000) is not None for _ in range(50)) == 100 // 15
    world.sources.allowances["192.0.2.9"] = Allowance("trk_1", 100)
    assert world.heard("192.0.2.9", 50, bytes(60_000)) == 200 // 15
    world.sources.allowances["192.0.2.10"] = Allowance("trk_2", 3)
    assert world.heard("192.0.2.10", 5, bytes(60_000)) == 2, "none is too large for its trunk's allowance"


def test_memory_is_bounded(world: World) -> None:
    for n in range(strangers.MAX_SOURCES + 5000):
        world.guard.admits(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        world.ban(f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(world.guard.active(50_000)) == bans.MAX_BANS
    assert len(world.guard._forgeable.buckets) <= strangers.MAX_SOURCES
