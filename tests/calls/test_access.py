"""Who may talk to us: by address, by credentials, by both; strangers; proxies; paused trunks."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from edge.calls.access import Access, AccessConfig
from edge.calls.ports import RefusedCall
from edge.calls.sources import Sources
from edge.model.config import Target, Trunk
from edge.networks import Networks
from edge.routing.snapshot import Snapshot
from edge.sip.digest import ClientDigest
from edge.sip.events import Allow, Credentials, Deny, Flow
from edge.sip.guard import Guard
from edge.sip.message import Headers, Request, Response
from edge.sip.server_digest import ServerDigest
from tests.support.virtual_time import VirtualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMON = {"created_at": NOW, "updated_at": NOW, "version": 1}
BY_ADDRESS = {"addresses": ("192.0.2.1/32",)}
BY_LOGIN = {"username": "us", "password": SecretStr("a secret")}


@dataclass
class Bench:
    """An access policy over a snapshot, and what it noted."""

    current: Snapshot
    config: AccessConfig = field(default_factory=AccessConfig)
    never_ban: tuple[str, ...] = ()
    noted: list[RefusedCall] = field(default_factory=list)
    waiting: dict[str, RefusedCall] = field(default_factory=dict)

    def __post_init__(self) -> None:
        clock = VirtualClock()
        self.sources = Sources(
            self, self, clock, most=1e4, proxies=Networks.of(self.config.trusted_proxies),
            never_ban=Networks.of(self.never_ban),
        )  # fmt: skip
        digest = ServerDigest("edge", b"k" * 32)
        self.guard = Guard(
            clock.monotonic, self.sources, lambda host, data: digest.answers(data, clock.monotonic(), host)
        )
        self.access = Access(self.config, self, digest, self, clock, guard=self.guard, sources=self.sources)

    def note(self, refused: RefusedCall) -> None:
        self.noted.append(refused)

    def asked(self, refused: RefusedCall) -> None:
        self.waiting[refused.source] = refused

    def answered(self, source: str) -> None:
        self.waiting.pop(source, None)

    def judge(self, source: str, request: Request) -> Allow | Deny:
        return self.access.judge(request, Flow("udp", ("192.0.2.200", 5060), (source, 5060)))


def trunk(trunk_id: str = "trk_1", **fields: Any) -> Trunk:
    return Trunk(id=trunk_id, name=trunk_id, **fields, **COMMON)


def request(
    method: str = "INVITE", uri: str = "sip:+18005550100@192.0.2.200", *headers: tuple[str, str]
) -> Request:
    via = ("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKx")
    lines = [
        via, *headers, ("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>"), ("Call-ID", "1"),
        ("CSeq", f"1 {method}"),
    ]  # fmt: skip
    return Request(method, uri, Headers(list(lines)))


def logged_in(bench: Bench, source: str, password: str = "a secret") -> Allow | Deny:
    """Asks, is challenged, and asks again with the answer."""
    return bench.judge(source, answer(bench, source, password))


def answer(bench: Bench, source: str, password: str) -> Request:
    """Asks and is challenged: the request with the answer."""
    denied = bench.judge(source, request())
    assert isinstance(denied, Deny)
    assert denied.status == 401
    challenge = Response(401, "Unauthorized", Headers([*denied.headers]))
    login = ClientDigest(Credentials("us", password), lambda: "cnonce")
    assert login.accept(challenge)
    return request("INVITE", "sip:x@192.0.2.200", *login.headers("INVITE", "sip:x@192.0.2.200"))


def test_a_trunk_is_known_by_its_address() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)]))
    assert bench.judge("192.0.2.1", request()) == Allow("trk_1")
    assert bench.judge("192.0.2.1", request("OPTIONS")) == Allow("trk_1")


def test_a_stranger_gets_silence_and_the_operator_a_remedy() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)]))
    assert bench.judge("203.0.113.9", request()) == Deny(0)
    assert bench.judge("203.0.113.9", request("OPTIONS")) == Deny(0)
    assert "add 203.0.113.9 to the addresses" in bench.noted[0].remedy
    assert bench.noted[0].called == "+18005550100"


def test_a_stranger_gets_403_if_so_configured() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)]), AccessConfig("403"))
    assert bench.judge("203.0.113.9", request()) == Deny(403)


def test_strangers_are_answered_where_403_is_set_or_anybody_may_log_in() -> None:
    by_address = Snapshot.build(trunks=[trunk(**BY_ADDRESS)])
    assert not Bench(by_address).access.answers_strangers
    assert Bench(by_address, AccessConfig("403")).access.answers_strangers
    assert Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)])).access.answers_strangers


def test_credentials_alone_are_accepted_from_anywhere() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    assert logged_in(bench, "203.0.113.9") == Allow("trk_1")


def test_a_wrong_password_gets_the_same_401_as_a_stranger() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    denied = logged_in(bench, "203.0.113.9", password="wrong")
    assert isinstance(denied, Deny)
    assert denied.status == 401
    assert bench.noted[-1].reason == "wrong credentials"
    assert "wrong" not in str(bench.noted[-1].remedy)


def test_with_both_both_must_hold() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS, **BY_LOGIN)]))
    assert logged_in(bench, "192.0.2.1") == Allow("trk_1")
    assert bench.judge("203.0.113.9", request()) == Deny(0)


def test_credentials_of_a_trunk_with_addresses_do_not_open_another_source() -> None:
    both = trunk(**BY_ADDRESS, **BY_LOGIN)
    alone = trunk("trk_2", username="them", password=SecretStr("other"))
    bench = Bench(Snapshot.build(trunks=[both, alone]))
    denied = logged_in(bench, "203.0.113.9")
    assert isinstance(denied, Deny)
    assert denied.status == 401


def test_trunks_at_the_same_addresses_are_told_apart_by_their_credentials() -> None:
    """Two accounts with one carrier, say: only the older could ever log in."""
    older = trunk("trk_0", **BY_ADDRESS, username="them", password=SecretStr("other"))
    for state in ("active", "paused"):
        bench = Bench(
            Snapshot.build(
                trunks=[older.model_copy(update={"state": state}), trunk(**BY_ADDRESS, **BY_LOGIN)]
            )
        )
        assert logged_in(bench, "192.0.2.1") == Allow("trk_1")
        assert isinstance(logged_in(bench, "192.0.2.1", "a guess"), Deny)
    bench.current = Snapshot.build(trunks=[older, trunk(**BY_ADDRESS, **BY_LOGIN, state="paused")])
    assert logged_in(bench, "192.0.2.1") == Deny(403)


def test_who_may_log_in_from_anywhere_may_at_another_trunk_s_addresses_too() -> None:
    older = trunk("trk_0", **BY_ADDRESS, username="them", password=SecretStr("other"))
    bench = Bench(Snapshot.build(trunks=[older, trunk(**BY_LOGIN)]))
    assert logged_in(bench, "192.0.2.1") == Allow("trk_1")


def test_a_paused_trunk_is_refused() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS, state="paused")]))
    assert bench.judge("192.0.2.1", request()) == Deny(403)
    assert "active" in bench.noted[0].remedy


def test_a_targets_pbx_may_ask_options_but_not_call() -> None:
    buyer = Target(id="tgt_1", name="buyer", address="sip:sales@198.51.100.50:5080", **COMMON)
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)], targets=[buyer]))
    assert isinstance(bench.judge("198.51.100.50", request("OPTIONS")), Allow)
    assert bench.judge("198.51.100.50", request()) == Deny(0)


def test_a_targets_pbx_may_ask_for_a_call_that_it_has_and_nobody_else() -> None:
    buyer = Target(id="tgt_1", name="buyer", address="sip:sales@198.51.100.50:5080", **COMMON)
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)], targets=[buyer]))
    bench.guard.dialled("198.51.100.60")
    replacing = request("INVITE", "sip:edge@e", ("Replaces", "a@b;to-tag=1;from-tag=2"))
    for pbx in ("198.51.100.50", "198.51.100.60"):
        assert bench.judge(pbx, replacing) == Allow("target")
    assert bench.judge("203.0.113.5", replacing) == Deny(0)


def test_within_a_call_that_is_over_a_targets_pbx_is_told_so_and_nobody_else() -> None:
    buyer = Target(id="tgt_1", name="buyer", address="sip:sales@198.51.100.50:5080", **COMMON)
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)], targets=[buyer]))
    bench.guard.dialled("198.51.100.60")
    for method in ("INVITE", "BYE"):
        late = request(method)
        late.headers.set_first("To", "<sip:c@d>;tag=2")
        for pbx in ("198.51.100.50", "198.51.100.60"):
            assert bench.judge(pbx, late) == Allow("target")
        assert bench.judge("203.0.113.5", late) == Deny(0)
    broken = request("BYE")
    broken.headers.set_first("To", "<sip:c@d>;tag=")
    assert bench.judge("198.51.100.50", broken) == Deny(0)


def test_so_may_one_that_is_written_by_its_name_once_we_have_dialled_it() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)]))
    assert bench.judge("198.51.100.50", request("OPTIONS")) == Deny(0)
    bench.guard.dialled("198.51.100.50")
    assert isinstance(bench.judge("198.51.100.50", request("OPTIONS")), Allow)
    assert bench.judge("198.51.100.50", request()) == Deny(0)


def test_behind_a_trusted_proxy_the_source_is_the_next_vias() -> None:
    bench = Bench(
        Snapshot.build(trunks=[trunk(**BY_ADDRESS)]), AccessConfig(trusted_proxies=("198.51.100.0/24",))
    )
    carrier = ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKy;received=192.0.2.1")
    assert bench.judge("198.51.100.7", request("INVITE", "sip:+18005550100@e", carrier)) == Allow("trk_1")
    other = ("Via", "SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKy")
    assert bench.judge("198.51.100.7", request("INVITE", "sip:+18005550100@e", other)) == Deny(0)
    untrusted = bench.judge("203.0.113.5", request("INVITE", "sip:+18005550100@e", carrier))
    assert untrusted == Deny(0)


def test_behind_several_trusted_proxies_the_source_is_what_the_outermost_saw() -> None:
    bench = Bench(
        Snapshot.build(trunks=[trunk(**BY_ADDRESS)]), AccessConfig(trusted_proxies=("198.51.100.0/24",))
    )
    second = ("Via", "SIP/2.0/UDP balancer.example;branch=z9hG4bKy;received=198.51.100.8")
    carrier = ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKw;received=192.0.2.1")
    stranger = ("Via", "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKv")
    assert bench.judge("198.51.100.7", request("INVITE", NUMBER, second, carrier)) == Allow("trk_1")
    assert bench.judge("198.51.100.7", request("INVITE", NUMBER, second, stranger, carrier)) == Deny(0)
    assert bench.judge("198.51.100.7", request("INVITE", NUMBER, second)) == Deny(0)


NUMBER = "sip:+18005550100@e"


@pytest.mark.parametrize(
    "hidden",
    [
        "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKy;received=192.0.2.1;received=203.0.113.5",
        "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKy;=",
        "SIP/2.0/UDP",
        "",
    ],
)
def test_who_hides_its_address_from_us_behind_a_proxy_is_not_the_proxy(hidden: str) -> None:
    """It may be a trunk itself: no caller of it must be taken for that."""
    proxy = trunk(addresses=("198.51.100.7/32",))
    bench = Bench(Snapshot.build(trunks=[proxy]), AccessConfig(trusted_proxies=("198.51.100.7/32",)))
    assert bench.judge("198.51.100.7", request("INVITE", "sip:+18005550100@e")) == Allow("trk_1")
    caller = request("INVITE", "sip:+18005550100@e", ("Via", hidden))
    assert bench.judge("198.51.100.7", caller) == Deny(0)


@pytest.mark.parametrize("received", ["2001:db8::9", "[2001:db8::9]", "[2001:DB8:0::9]"])
def test_a_proxy_may_write_an_ipv6_source_either_way(received: str) -> None:
    """RFC 5118 section 4.5."""
    bench = Bench(
        Snapshot.build(trunks=[trunk(addresses=("2001:db8::9/128",))]),
        AccessConfig(trusted_proxies=("198.51.100.7/32",)),
    )
    carrier = ("Via", f"SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKy;received={received}")
    assert bench.judge("198.51.100.7", request("INVITE", "sip:+18005550100@e", carrier)) == Allow("trk_1")


def test_with_domains_a_request_for_another_name_is_refused() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)]), AccessConfig(domains=("calls.example.com",)))
    assert bench.judge("192.0.2.1", request(uri="sip:+18005550100@CALLS.example.com")) == Allow("trk_1")
    assert bench.judge("192.0.2.1", request(uri="sip:+18005550100@192.0.2.200")) == Allow("trk_1")
    assert bench.judge("192.0.2.1", request(uri="sip:+18005550100@other.example.com")) == Deny(404)


# -- bans -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "agent",
    [
        "friendly-scanner", "sipvicious", "sipcli/v1.8", "pplsip", "VaxSIPUserAgent/3.1", "iWar", "sundayddr",
        "eyeBeam release 3006o stamp 17551",
    ],
)  # fmt: skip
def test_a_scanner_is_banned_at_once_and_gets_nothing(agent: str) -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]), AccessConfig("403"))
    scan = request("OPTIONS", "sip:100@192.0.2.200", ("User-Agent", agent))
    assert bench.judge("203.0.113.9", scan) == Deny(0)
    (ban,) = bench.guard.active(10)
    assert (ban.source, ban.reason) == ("203.0.113.9", "scanner")


def test_a_phone_of_the_kind_that_scanners_pretend_to_be_is_none() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    asked = bench.judge("203.0.113.9", request("INVITE", "sip:1@e", ("User-Agent", "eyeBeam release 1102q")))
    assert isinstance(asked, Deny) and asked.status == 401 and not bench.guard.active(10)


def test_nobody_can_ban_a_trunk_that_has_logged_in_by_what_it_sends_in_its_name() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    theirs, attacker = "203.0.113.9", "203.0.113.66"
    assert logged_in(bench, theirs) == Allow("trk_1")
    scan, guess = (
        request("OPTIONS", "sip:e", ("User-Agent", "friendly-scanner")),
        answer(bench, attacker, "a guess"),
    )
    for forged in (scan, request(), guess) * 300:
        assert isinstance(bench.judge(theirs, forged), Deny)
    assert logged_in(bench, theirs) == Allow("trk_1")
    assert bench.guard.active(10) == []


def test_a_trunk_that_never_logged_in_can_do_so_whatever_is_sent_in_its_name() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    theirs, attacker = "203.0.113.9", "203.0.113.66"
    for _ in range(2):
        bench.judge(theirs, request("OPTIONS", "sip:e", ("User-Agent", "friendly-scanner")))
    assert [ban.datagrams_only for ban in bench.guard.active(10)] == [True]
    assert bench.guard.admits(theirs, request().to_bytes()), "its first request gets its challenge"
    mine = answer(bench, theirs, "a secret")
    for _ in range(1000):
        bench.guard.admits(theirs, request().to_bytes())
    assert bench.guard.admits(theirs, mine.to_bytes()), "and the answer to that is heard at once"
    assert not bench.guard.admits(theirs, answer(bench, attacker, "a guess").to_bytes())
    assert bench.judge(theirs, mine) == Allow("trk_1")


def test_who_moves_within_a_call_proves_to_be_the_call_s_own_trunk() -> None:
    both = trunk("trk_2", **BY_ADDRESS, username="them", password=SecretStr("x"))
    carrier = trunk("trk_3", addresses=("192.0.2.9/32",))
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN), both, carrier]))
    flow = Flow("udp", ("192.0.2.200", 5060), ("203.0.113.9", 5060))
    for other in ("trk_2", "trk_3", "tgt_1"):
        assert bench.access.moved(request("UPDATE"), flow, other) is None, "nothing that it could prove there"
    assert not bench.guard.is_proven("203.0.113.9")
    asked = bench.access.moved(request("UPDATE"), flow, "trk_1")
    assert isinstance(asked, Deny) and asked.status == 401 and asked.headers
    assert isinstance(bench.access.moved(answer(bench, "203.0.113.9", "a guess"), flow, "trk_1"), Deny)
    assert isinstance(bench.access.moved(answer(bench, "203.0.113.8", "a secret"), flow, "trk_1"), Deny)
    assert bench.access.moved(answer(bench, "203.0.113.9", "a secret"), flow, "trk_1") is None
    assert bench.guard.is_proven("203.0.113.9")
    assert [login.host for login in bench.sources.logins()] == ["203.0.113.9"]


def test_a_scanner_over_a_connection_is_banned_altogether() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    flow = Flow("tcp", ("192.0.2.200", 5060), ("203.0.113.9", 5060), 1)
    assert bench.access.judge(request("OPTIONS", "sip:e", ("User-Agent", "smap")), flow) == Deny(0)
    assert [ban.datagrams_only for ban in bench.guard.active(10)] == [False]


def test_guessing_passwords_bans_and_a_right_login_is_never_far() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    for _ in range(15):
        logged_in(bench, "203.0.113.9", "a guess")
    assert logged_in(bench, "203.0.113.9") == Allow("trk_1")
    for _ in range(20):
        logged_in(bench, "203.0.113.9", "a guess")
        if bench.guard.active(10):
            break
    assert [ban.reason for ban in bench.guard.active(10)] == ["wrong credentials"]


def test_the_ban_of_an_address_that_becomes_a_trunk_s_is_over_at_once() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS)]))
    for banned in ("203.0.113.9", "2001:db8::9"):
        bench.guard.offend(banned, "scanner")
        assert not bench.guard.admits(banned)
        bench.current = Snapshot.build(
            trunks=[trunk(addresses=(f"{banned}/{128 if ':' in banned else 32}",))]
        )
        bench.guard.reconsider()
        assert bench.guard.admits(banned) and bench.judge(banned, request()) == Allow("trk_1")
    assert not bench.guard.admits("2001:db8::a"), "its neighbours are strangers"
    bench.current = Snapshot.build(trunks=[trunk(addresses=("2001:db8::/48",))])
    assert [ban.source for ban in bench.guard.active(10)] == ["203.0.113.9"]


BY_ANOTHER = {**BY_LOGIN, "password": SecretStr("another")}


@pytest.mark.parametrize(
    ("now", "known"),
    [
        ([trunk(**BY_LOGIN, max_calls=5)], True),
        ([trunk(**BY_LOGIN), trunk("trk_2", **BY_ADDRESS)], True),
        ([trunk(**BY_ANOTHER)], False),
        ([trunk(**BY_LOGIN, **BY_ADDRESS)], False),
        ([trunk(**BY_LOGIN, state="paused")], False),
        ([], False),
    ],
)
def test_a_login_makes_nobody_known_once_it_would_do_no_more(now: list[Trunk], known: bool) -> None:
    """Whose stolen password was changed was free of every limit for the rest of the day."""
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    assert logged_in(bench, "203.0.113.9") == Allow("trk_1")
    assert bench.guard.is_free("203.0.113.9")
    bench.current = Snapshot.build(trunks=now)
    bench.guard.reconsider()
    assert bench.guard.is_free("203.0.113.9") is known
    assert [login.host for login in bench.sources.logins()] == ["203.0.113.9"] * known


def test_an_address_that_two_trunks_share_is_looked_at_again_when_one_is_edited() -> None:
    other = trunk("trk_2", **{**BY_LOGIN, "username": "them"})
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN), other]))
    for one in (trunk(**BY_LOGIN), other):
        bench.sources.logged_in("203.0.113.9", one)
        bench.guard.proven("203.0.113.9")
    bench.current = Snapshot.build(trunks=[trunk(**BY_ANOTHER), other])
    bench.guard.reconsider()
    assert not bench.guard.is_free("203.0.113.9") and not bench.sources.logins()


def test_strangers_are_banned_but_no_trunk_target_proxy_or_allowed_address() -> None:
    buyer = Target(id="tgt_1", name="buyer", address="sip:b@198.51.100.4", **COMMON)
    config = AccessConfig(trusted_proxies=("198.51.100.5/32",))
    snapshot = Snapshot.build(trunks=[trunk(**BY_ADDRESS)], targets=[buyer])
    bench = Bench(snapshot, config, ("198.51.100.64/26",))
    sources = ("192.0.2.1", "198.51.100.4", "198.51.100.5", "198.51.100.70", "203.0.113.9")
    for source in sources:
        for _ in range(100):
            bench.guard.offend(source, "unknown source")
    assert [ban.source for ban in bench.guard.active(10)] == ["203.0.113.9"]


def test_a_banned_source_behind_a_proxy_is_not_heard_and_the_proxy_is() -> None:
    bench = Bench(Snapshot.build(), AccessConfig("403", ("192.0.2.0/24",)))
    proxied = request("INVITE", "sip:x@y", ("Via", "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKy"))
    proxied.headers.items.insert(0, ("Via", "SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKz"))
    proxied.headers.items.pop(1)
    assert bench.judge("192.0.2.5", proxied) == Deny(403)
    for _ in range(60):
        bench.judge("192.0.2.5", proxied)
    assert bench.judge("192.0.2.5", proxied) == Deny(0)
    assert bench.guard.admits("192.0.2.5")


def test_who_logs_in_has_its_trunk_s_rate_before_it_is_read() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN, max_cps=1)]))
    assert not any(bench.sources.over("203.0.113.9") for _ in range(50))
    assert logged_in(bench, "203.0.113.9") == Allow("trk_1")
    assert [bench.sources.over("203.0.113.9") for _ in range(5)] == [False] * 4 + [True]


def test_who_does_not_log_in_is_told_of() -> None:
    """A carrier's new address, while some other trunk logs in: its calls must not vanish without a word."""
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS), trunk("trk_2", **BY_LOGIN)]))
    bench.judge("203.0.113.9", request("OPTIONS"))
    assert not bench.waiting
    bench.judge("203.0.113.9", request())
    [waiting] = bench.waiting.values()
    assert (waiting.source, waiting.called, waiting.status) == ("203.0.113.9", "+18005550100", 401)
    assert "did not log in" in waiting.reason and "add 203.0.113.9 to the addresses" in waiting.remedy
    assert logged_in(bench, "203.0.113.9") == Allow("trk_2")
    assert not bench.waiting and not bench.noted
    logged_in(bench, "203.0.113.10", "wrong")
    assert "203.0.113.10" not in bench.waiting and bench.noted[0].reason == "wrong credentials"


def test_a_trunk_that_has_to_log_in_and_does_not_is_told_of() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_ADDRESS, **BY_LOGIN)]))
    bench.judge("192.0.2.1", request())
    assert "trunk trk_1 has a user name" in bench.waiting["192.0.2.1"].reason
    assert "take the trunk's user name out" in bench.waiting["192.0.2.1"].remedy
    assert logged_in(bench, "192.0.2.1") == Allow("trk_1")
    assert not bench.waiting


def test_a_phone_that_moved_and_does_not_log_in_has_no_address_to_fall_back_on() -> None:
    bench = Bench(Snapshot.build(trunks=[trunk(**BY_LOGIN)]))
    moved = bench.access.moved(request(), Flow("udp", ("192.0.2.200", 5060), ("203.0.113.9", 5060)), "trk_1")
    assert isinstance(moved, Deny) and moved.status == 401
    waiting = bench.waiting["203.0.113.9"]
    assert "no trunk has this address" in waiting.reason and "user name out" not in waiting.remedy
