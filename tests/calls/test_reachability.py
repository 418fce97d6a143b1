"""OPTIONS to targets and trunks on virtual time: who is asked, how often, and when it counts as down."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.calls.reachability import HITS_UP, MISSES_DOWN, Health, ReachabilityWatch
from edge.model.config import Target, Trunk
from edge.model.peers import Reachability
from edge.model.sip import SipSettings
from edge.routing.snapshot import Snapshot
from edge.sip.endpoint import Unresolvable
from edge.sip.events import Destination, OutgoingRequest
from edge.sip.message import Headers, Response
from tests.support.virtual_time import VirtualClock, run_virtual

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMON = {"created_at": NOW, "updated_at": NOW, "version": 1}
EVERY_S = 30
ASKED = SipSettings(options_interval_s=EVERY_S)


def target(**fields: Any) -> Target:
    given = {"id": "tgt_1", "name": "buyer", "address": "sip:sales@pbx.example", "sip": ASKED, **fields}
    return Target(**given, **COMMON)


class Asker:
    """Names have two addresses; answers come from a table by host."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.asked: list[OutgoingRequest] = []
        self.avoided: list[str] = []
        self.known = True

    async def resolve(self, uri: str) -> list[Destination]:
        if not self.known:
            raise Unresolvable("no such name")
        return [Destination("udp", host, 5060) for host in ("192.0.2.1", "192.0.2.2")]

    async def ask(self, outgoing: OutgoingRequest, patience_s: float) -> Response:
        self.asked.append(outgoing)
        await asyncio.sleep(0.01)
        return Response(self.statuses.get(outgoing.destination.host, 200), "As told", Headers())

    def avoid(self, destination: Destination) -> None:
        self.avoided.append(destination.host)

    def local_host(self, destination: Destination) -> str:
        return "203.0.113.5"


class Holder:
    def __init__(self, *items: Target | Trunk) -> None:
        self.current = Snapshot.build()
        self.put(*items)

    def put(self, *items: Target | Trunk) -> None:
        self.current = self.current.with_changes(put=items)


Story = Callable[[ReachabilityWatch, Asker, Holder], Coroutine[Any, Any, None]]


def watched(story: Story, *items: Target | Trunk) -> None:
    async def run(clock: VirtualClock) -> None:
        asker, holder = Asker(), Holder(*items)
        async with ReachabilityWatch(asker, holder, clock, lambda low, high: (low + high) / 2) as watch:
            await story(watch, asker, holder)
        assert len(asyncio.all_tasks()) == 1

    run_virtual(run)


def state(watch: ReachabilityWatch, peer_id: str = "tgt_1") -> str | None:
    found = watch.reachability(peer_id)
    return found.state if found else None


def test_three_misses_make_it_down_and_two_hits_up_again() -> None:
    health = Health(NOW)
    assert [health.note("silent", NOW) for _ in range(MISSES_DOWN)] == [False, False, True]
    assert (health.state, health.reason) == ("down", "silent")
    assert [health.note("", NOW) for _ in range(HITS_UP)] == [False, True]
    assert (health.state, health.reason) == ("up", "")
    health.note("once", NOW)
    health.note("", NOW)
    assert [health.note("again", NOW) for _ in range(MISSES_DOWN - 1)] == [False, False]


def test_a_first_hit_is_enough_to_be_up() -> None:
    assert Health(NOW).note("", NOW) is True


def test_a_target_goes_down_and_comes_back() -> None:
    async def story(watch: ReachabilityWatch, asker: Asker, _: Holder) -> None:
        assert state(watch) is None or state(watch) == "unknown"
        await asyncio.sleep(2)
        assert (state(watch), watch.down) == ("up", set())
        asker.statuses = {"192.0.2.1": 408, "192.0.2.2": 503}
        await asyncio.sleep(EVERY_S * MISSES_DOWN)
        assert watch.down == {"tgt_1"}
        known = watch.reachability("tgt_1")
        assert isinstance(known, Reachability) and known.reason == "192.0.2.2:5060: 503 As told"
        assert watch.counts() == {"down": 1}
        asker.statuses = {}
        await asyncio.sleep(EVERY_S)
        assert watch.down == {"tgt_1"}
        await asyncio.sleep(EVERY_S)
        assert (state(watch), watch.down) == ("up", set())

    watched(story, target())


def test_the_question_is_for_the_host_and_one_address_that_answers_is_enough() -> None:
    async def story(watch: ReachabilityWatch, asker: Asker, _: Holder) -> None:
        asker.statuses = {"192.0.2.1": 408, "192.0.2.2": 404}
        await asyncio.sleep(2)
        assert state(watch) == "up"
        assert [asked.destination.host for asked in asker.asked] == ["192.0.2.1", "192.0.2.2"]
        assert asker.avoided == ["192.0.2.1"]
        asked = asker.asked[0]
        assert (asked.method, asked.request_uri) == ("OPTIONS", "sip:pbx.example")
        assert (asked.from_, asked.to) == ("<sip:edge@203.0.113.5>", "<sip:pbx.example>")

    watched(story, target())


def test_a_name_that_is_unknown_is_a_miss() -> None:
    async def story(watch: ReachabilityWatch, asker: Asker, _: Holder) -> None:
        asker.known = False
        await asyncio.sleep(EVERY_S * MISSES_DOWN)
        found = watch.reachability("tgt_1")
        assert found is not None and (found.state, found.reason) == ("down", "no such name")

    watched(story, target())


@pytest.mark.parametrize(
    "changes",
    [{"sip": SipSettings()}, {"state": "paused"}, {"address": "+13125550100", "trunk_ids": ("trk_1",)}],
)
def test_who_is_not_to_be_asked_is_not_and_is_never_down(changes: dict[str, Any]) -> None:
    async def story(watch: ReachabilityWatch, asker: Asker, holder: Holder) -> None:
        asker.statuses = {"192.0.2.1": 408, "192.0.2.2": 408}
        await asyncio.sleep(EVERY_S * MISSES_DOWN)
        assert watch.down == {"tgt_1"}
        holder.put(target(**changes))
        watch.changed()
        await asyncio.sleep(1)
        assert (state(watch), watch.down) == (None, set())
        asked = len(asker.asked)
        await asyncio.sleep(EVERY_S * 2)
        assert len(asker.asked) == asked

    watched(story, target())


def test_a_change_keeps_what_is_known_unless_the_address_is_another() -> None:
    async def story(watch: ReachabilityWatch, asker: Asker, holder: Holder) -> None:
        asker.statuses = {"192.0.2.1": 408, "192.0.2.2": 408}
        await asyncio.sleep(EVERY_S * MISSES_DOWN)
        holder.put(target(name="renamed"))
        watch.changed()
        await asyncio.sleep(0.5)
        assert watch.down == {"tgt_1"}
        holder.put(target(address="sip:sales@other.example"))
        watch.changed()
        await asyncio.sleep(0.5)
        assert (state(watch), watch.down) == ("unknown", set())

    watched(story, target())


def test_a_trunks_proxy_is_asked_too() -> None:
    trunk = Trunk(
        id="trk_1", name="carrier", addresses=("192.0.2.0/24",), proxy="sip:gw.example", sip=ASKED, **COMMON
    )

    async def story(watch: ReachabilityWatch, asker: Asker, _: Holder) -> None:
        await asyncio.sleep(2)
        assert state(watch, "trk_1") == "up"
        assert asker.asked[0].request_uri == "sip:gw.example"

    watched(story, trunk)


def test_a_watch_that_fails_is_begun_anew() -> None:
    async def story(watch: ReachabilityWatch, asker: Asker, _: Holder) -> None:
        resolve, asker.resolve = asker.resolve, broken  # type: ignore[method-assign]
        await asyncio.sleep(EVERY_S + 5)
        assert asker.asked == []
        asker.resolve = resolve  # type: ignore[method-assign]
        await asyncio.sleep(2 * EVERY_S)
        assert asker.asked != []

    async def broken(uri: str) -> list[Destination]:
        raise RuntimeError(uri)

    watched(story, target())


def test_a_target_whose_host_each_call_tells_is_not_asked_and_never_down() -> None:
    """It was asked at what its address is without any call, which is no host, and never dialled again."""

    async def story(watch: ReachabilityWatch, asker: Asker, _: Holder) -> None:
        asker.known = False
        await asyncio.sleep(EVERY_S * 5)
        assert (
            not watch.down - {"tgt_3"} and watch.reachability("tgt_1") is watch.reachability("tgt_2") is None
        )
        assert state(watch, "tgt_3") == "down"

    addresses = (
        "sip:100@[tag:pbx].example",
        "sip:[tag:pbx|'main'].example",
        "sip:[caller_number]@pbx.example",
    )
    watched(story, *(target(id=f"tgt_{n}", address=one) for n, one in enumerate(addresses, 1)))
