"""What is asked about a call at its arrival, and in which order."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from edge.calls.admission import decided
from edge.calls.call import Call
from edge.model.action import Action
from edge.model.attestation import UNKNOWN, Attested
from edge.model.config import Hours
from edge.model.decision import Proceed
from edge.model.ledger import Command
from edge.model.pool import Withdrawal
from edge.model.visits import LinkCall, Said
from edge.routing.snapshot import Snapshot
from edge.sip.message import Headers, Request
from tests.routing.world import NOON, Taken, campaign, facts, number


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


async def test_what_was_said_of_a_caller_is_of_the_number_s_campaign_though_a_forward_led_on() -> None:
    """Of the campaign where the call goes on somebody else may have spoken."""
    forward = Action(action="forward", campaign_id="cmp_2")
    snapshot = Snapshot.build(
        numbers=[number(hours=Hours(timezone="UTC", after_hours=forward))],
        campaigns=[campaign(), campaign(id="cmp_2")],
    )
    said = {"cmp_1": Said({"plan": "gold"}, NOON), "cmp_2": Said({"plan": "theirs"}, NOON)}
    call = SimpleNamespace(
        snapshot=snapshot,
        services=SimpleNamespace(
            verifier=None, counts=Taken(), said=SimpleNamespace(of=lambda campaign_id, _: said[campaign_id])
        ),
        facts=facts(NOON),
        record=SimpleNamespace(writes=()),
    )
    admission = await decided(cast(Call, call))
    assert isinstance(admission, Proceed)
    assert (admission.campaign_id, admission.tags) == ("cmp_2", {"plan": "gold"})
