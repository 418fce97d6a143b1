"""Whose calls are taken over by whom (RFC 3891 section 3), and what the operator is told of the others."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from edge.calls.access import AccessConfig
from edge.calls.peers import KEPT_S, Peers
from edge.calls.replacing import Replacing
from edge.routing.snapshot import Snapshot
from edge.sip.digest import ClientDigest
from edge.sip.events import Allow, Credentials, Deny, Destination, Flow
from edge.sip.message import Headers, Request, Response
from tests.calls.test_access import Bench, request, trunk
from tests.routing.world import target
from tests.support.virtual_time import VirtualClock

US = ("192.0.2.200", 5060)
PBX, NODE, NAMED, CARRIER, STRANGER = "192.0.2.1", "192.0.2.17", "192.0.2.33", "198.51.100.1", "203.0.113.9"
MAY = {"allow_refer": True, "peer_addresses": ("192.0.2.16/30",), "peer_trunk_ids": ("trk_login",)}
TARGETS = (
    target("tgt_may", address=f"sip:desk@{PBX}", sip=MAY),
    target("tgt_not", address="sip:desk@192.0.2.90"),
    target("tgt_name", address="sip:desk@pbx.example", sip={"allow_refer": True}),
)
TRUNKS = (
    trunk("trk_carrier", addresses=(f"{CARRIER}/32",)),
    trunk("trk_pbx", addresses=(f"{PBX}/32", "192.0.2.64/29")),
    trunk("trk_login", username="pbx", password=SecretStr("of the pbx")),
    trunk("trk_other", username="other", password=SecretStr("of another")),
)


@dataclass
class Dialog:
    """As much of a usage as is asked."""

    peer_id: str
    host: str
    role: Literal["server", "client"] = "client"
    takes_refer: bool = False
    state: str = "up"
    request: Request = field(default_factory=request)

    @property
    def flow(self) -> Flow:
        return Flow("udp", US, (self.host, 5060))


def desk(target_id: str = "tgt_may", host: str = PBX, *, may: bool = True) -> Dialog:
    """A call of ours to a target."""
    return Dialog(target_id, host, takes_refer=may)


def caller(trunk_id: str, host: str) -> Dialog:
    """A call that came by a trunk."""
    return Dialog(trunk_id, host, "server")


class Stand:
    def __init__(self, config: AccessConfig | None = None) -> None:
        self.bench = Bench(Snapshot.build(trunks=TRUNKS, targets=TARGETS), config or AccessConfig())
        self.clock = VirtualClock()
        self.peers = Peers(self.clock)
        self.policy = Replacing(self.bench.access, self.peers, self.bench, self.bench)

    def asks(self, source: str, dialog: Any, *headers: tuple[str, str]) -> bool | Deny:
        invite = request("INVITE", "sip:edge@192.0.2.200", ("Replaces", "x"), *headers)
        return self.policy.gives_way(invite, Flow("udp", US, (source, 5060)), dialog)

    def logs_in(self, name: str, password: str, dialog: Any) -> bool | Deny:
        denied = self.asks(STRANGER, dialog)
        assert isinstance(denied, Deny) and denied.status == 401
        login = ClientDigest(Credentials(name, password), lambda: "cnonce")
        assert login.accept(Response(401, "Unauthorized", Headers([*denied.headers])))
        return self.asks(STRANGER, dialog, *login.headers("INVITE", "sip:edge@192.0.2.200"))

    def told(self, source: str, dialog: Any, status: int = 603) -> tuple[str, str]:
        self.policy.refused(request(), Flow("udp", US, (source, 5060)), dialog, status)
        noted = self.bench.noted[-1]
        assert (noted.source, noted.status) == (source, status)
        return noted.reason, noted.remedy


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.mark.parametrize(
    ("source", "may"),
    [
        (PBX, True),  # the target's own address
        (NODE, True),  # one of its peer_addresses
        ("192.0.2.66", True),  # by the trunk that has the target's address, too
        (CARRIER, False),
        ("192.0.2.90", False),  # another target
    ],
)
def test_a_target_s_call_goes_to_its_own_pbx(stand: Stand, source: str, may: bool) -> None:
    assert stand.asks(source, desk()) is may
    assert stand.asks(source, desk(may=False)) is False


def test_where_its_name_led_while_a_call_may_be_up_is_the_target_s(stand: Stand) -> None:
    dialog = desk("tgt_name", "192.0.2.32")
    assert isinstance(stand.asks(NAMED, dialog), Deny)
    stand.peers.led_to("tgt_name", [Destination("udp", "192.0.2.32", 5060), Destination("udp", NAMED, 5060)])
    assert stand.asks(NAMED, dialog) is True
    assert isinstance(stand.asks(NAMED, desk()), Deny), "of that target alone"
    stand.clock.advance(KEPT_S / 2)
    stand.peers.led_to("tgt_name", [Destination("udp", "192.0.2.34", 5060)])
    assert stand.asks(NAMED, dialog) is True, "a name that leads elsewhere now has led there"
    stand.clock.advance(KEPT_S / 2)
    assert isinstance(stand.asks(NAMED, dialog), Deny)
    assert stand.asks("192.0.2.34", dialog) is True
    assert stand.asks("192.0.2.32", dialog) is True, "where the call went is always its own"


def test_who_logs_in_as_the_pbx_takes_its_calls_from_anywhere(stand: Stand) -> None:
    assert stand.logs_in("pbx", "of the pbx", desk()) is True
    assert stand.logs_in("other", "of another", desk()) is False
    assert stand.logs_in("pbx", "of the pbx", desk("tgt_name")) is False
    wrong = stand.logs_in("pbx", "a guess", desk())
    assert isinstance(wrong, Deny) and wrong.status == 401


@pytest.mark.parametrize(
    ("dialog", "source", "may"),
    [
        (caller("trk_pbx", PBX), PBX, True),  # the PBX called us, from the address of the target
        (caller("trk_pbx", PBX), NODE, True),
        (caller("trk_login", STRANGER), PBX, True),  # by the trunk that is named
        (caller("trk_pbx", PBX), CARRIER, False),
        (caller("trk_carrier", CARRIER), CARRIER, False),
        (caller("trk_carrier", CARRIER), PBX, False),
        (caller("trk_other", "192.0.2.90"), "192.0.2.90", False),  # its target may not transfer
    ],
)
def test_a_caller_is_replaced_only_if_it_is_a_target_s_pbx(
    stand: Stand, dialog: Dialog, source: str, may: bool
) -> None:
    assert stand.asks(source, dialog) is may


def test_a_stranger_learns_nothing_whatever_it_names() -> None:
    stand = Stand()
    stand.bench.current = Snapshot.build(trunks=TRUNKS[:2], targets=TARGETS)
    for dialog in (None, desk(), caller("trk_carrier", CARRIER)):
        assert stand.asks(STRANGER, dialog) == Deny(0)


def test_behind_one_proxy_peers_are_told_apart() -> None:
    """What the proxy saw counts, or a carrier behind it would have the address of everybody."""
    proxy = "192.0.2.100"
    stand = Stand(AccessConfig(trusted_proxies=(f"{proxy}/32",)))

    def through(source: str) -> tuple[tuple[str, str], ...]:
        via = "SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKp"
        return (("Via", via), ("Via", f"SIP/2.0/UDP {source};branch=z9hG4bKq"))

    for source, may in ((CARRIER, False), (NODE, True)):
        invite = Request("INVITE", "sip:edge@192.0.2.200", Headers([*through(source), ("Replaces", "x")]))
        assert stand.policy.gives_way(invite, Flow("udp", US, (proxy, 5060)), desk(host=proxy)) is may  # type: ignore[arg-type]


def test_each_refusal_is_told_with_its_remedy(stand: Stand) -> None:
    reason, remedy = stand.told(CARRIER, desk())
    assert "tgt_may" in reason and f"add {CARRIER} to the target's sip.peer_addresses" in remedy
    reason, remedy = stand.told(PBX, desk("tgt_not", may=False))
    assert "tgt_not" in reason and "sip.allow_refer" in remedy
    reason, remedy = stand.told(CARRIER, caller("trk_carrier", CARRIER))
    assert "carrier" in reason and "peer_trunk_ids" in remedy
    assert "ending" in stand.told(PBX, desk())[0]
    assert "is gone" in stand.told(CARRIER, desk("tgt_gone", "192.0.2.7"))[0]
    for status in (400, 481, 486):
        assert all(stand.told(PBX, None, status))


def test_other_nodes_of_a_pbx_are_known_and_never_banned(stand: Stand) -> None:
    assert stand.bench.sources.knows(NODE) and not stand.bench.sources.knows(STRANGER)
    assert stand.bench.judge(NODE, request("OPTIONS")) == Allow("target")
    assert isinstance(stand.bench.judge(NODE, request()), Deny), "it may not call"
