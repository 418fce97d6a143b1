"""Before a dial: what a target is asked for, and what it gets back if there is none."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from edge.calls.hunt import Hunt
from edge.calls.trace import Trace
from edge.calls.trunk_load import Rates
from edge.clock import SystemClock
from edge.model.decision import Candidate
from edge.model.ledger import Command
from edge.routing.choose import Skip
from tests.calls.test_record import record
from tests.routing.world import NOON, Taken, facts, target, world


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
