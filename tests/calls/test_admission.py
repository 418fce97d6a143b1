"""What is asked about a call at its arrival, and in which order."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from edge.calls.admission import decided
from edge.calls.call import Call
from edge.model.attestation import UNKNOWN, Attested
from edge.model.ledger import Command
from edge.model.pool import Withdrawal
from edge.model.visits import LinkCall
from edge.routing.snapshot import Snapshot
from edge.sip.message import Headers, Request
from tests.routing.world import NOON, facts, number


async def test_whose_a_call_is_does_not_wait_for_its_callers_certificate() -> None:
    """Fetching one may take a second, in which the number must not go on to the next visitor."""
    asked: list[str] = []

    def submit(command: Command) -> "asyncio.Future[Any]":
        assert isinstance(command, LinkCall)
        asked.append("whose it is")
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(None)
        return answer

    async def verify(*_: object) -> Attested:
        asked.append("who signed it")
        return UNKNOWN

    left = Withdrawal(pool_id="pool_gone", until=NOON + timedelta(hours=1))
    call = SimpleNamespace(
        snapshot=Snapshot.build(numbers=[number(campaign_id=None, state="available", withdrawn=left)]),
        services=SimpleNamespace(
            verifier=SimpleNamespace(verify=verify), store=SimpleNamespace(submit=submit), counts={}, said=()
        ),
        invite=SimpleNamespace(request=Request("INVITE", "sip:x@h", Headers([("Identity", "a.b.c")]))),
        facts=facts(NOON),
        record=SimpleNamespace(step=lambda *_: None),
        identity=SimpleNamespace(withheld=None),
    )
    await decided(cast(Call, call))
    assert asked == ["whose it is", "who signed it"]
