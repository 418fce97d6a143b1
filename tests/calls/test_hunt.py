"""Before a dial: what a target is asked for, and what it gets back if there is none."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.calls.breaker import FIRST_S, PROBE_S
from edge.calls.hunt import Hunt
from edge.calls.outbound import OutboundLoad
from edge.calls.trace import Trace
from edge.calls.trunk_load import Rates
from edge.clock import SystemClock
from edge.model.decision import Candidate
from edge.model.ledger import Command
from edge.model.trunk import OutboundLimits
from edge.routing.choose import Skip
from tests.calls.test_breaker import failing
from tests.calls.test_record import record
from tests.routing.world import NOON, Taken, facts, target, trunk, world
from tests.support.virtual_time import VirtualClock


async def test_who_lost_the_last_slot_to_another_call_was_not_sent_this_one() -> None:
    """It counts on no rate: the next call of the same second is dialled."""
    slim = target(max_cps=1, max_calls=1)

    def submit(_: Command) -> "asyncio.Future[Any]":
        answer = asyncio.get_running_loop().create_future()
        answer.set_result("max_calls:tgt_1")
        return answer

    services = SimpleNamespace(
        clock=SystemClock(), counts=Taken(), down=(), rates=Rates(), store=SimpleNamespace(submit=submit)
    )
    hunt = Hunt.__new__(Hunt)
    hunt.call = cast(
        Any,
        SimpleNamespace(
            services=services,
            snapshot=world(targets=[slim]),
            facts=facts(NOON),
            record=record(),
            trace=Trace(0.0),
            holds_slots=False,
        ),
    )
    hunt.proceed = cast(Any, SimpleNamespace(claims=()))
    assert await hunt._try(Candidate("tgt_1", 1, 1.0)) is None
    assert [one.outcome for one in hunt.call.record.attempts] == ["cap_taken"]
    assert not isinstance(hunt.judge(Candidate("tgt_1", 1, 1.0), slim), Skip), "the target may be dialled"


@pytest.mark.parametrize("why", ["full", "down", "paused"])
async def test_a_target_that_was_not_asked_has_not_recovered(why: str) -> None:
    """A limit of our own trunk, or a trunk that does not answer, says nothing of those behind it."""
    clock = VirtualClock()
    breaker, buyer = failing(clock), target(address="+13125550199", trunk_ids=("trk_1",))
    way = trunk(
        proxy="sip:carrier.example",
        state="paused" if why == "paused" else "active",
        outbound=OutboundLimits(destinations=()) if why == "full" else None,
    )
    services = SimpleNamespace(
        clock=clock,
        breaker=breaker,
        down=("trk_1",) if why == "down" else (),
        outbound=OutboundLoad(clock),
    )
    hunt = Hunt.__new__(Hunt)
    hunt.call = cast(
        Any,
        SimpleNamespace(
            services=services,
            snapshot=world(targets=[buyer], trunks=[way]),
            trunk=way,
            record=record(),
            trace=Trace(0.0),
            reception=None,
        ),
    )
    hunt.key = ""
    clock.advance(FIRST_S)
    leg, _ = await hunt.dial(buyer, clock.utc())
    assert leg is None and buyer.id in breaker, "it has not answered yet"
    clock.advance(PROBE_S)
    assert buyer.id not in breaker, "another call finds out"
    breaker.failed(buyer.id, "503")
    clock.advance(FIRST_S)
    assert buyer.id in breaker, "its failures in a row still count"
