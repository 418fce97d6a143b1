"""What is recorded in real calls: messages that callers leave, and whole calls on two tracks."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio

from tests.support.api import ApiError
from tests.support.server import Server, running_server
from tests.support.stage import Stage, stage_of, tracks
from tests.support.tones import heard

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER, BUYER, RING, BEEP, PROMPT = 500, 700, 850, 1000, 1400
"""Hz: what each of them sounds like."""
CLOSED = {"timezone": "America/New_York", "weekly": {}}
VOICEMAIL = {"action": "voicemail"}
LEAVES = ("--at-most-s", "2.4")
"""In the middle of the message, which begins within a second and ends three later."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory = tmp_path_factory.mktemp("recordings")
    async with running_server(directory, EDGE_CALLS__VOICEMAIL_MAX_S="3") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def stage(server: Server) -> AsyncIterator[Stage]:
    async with stage_of(server) as made:
        yield made


async def test_after_hours_a_caller_leaves_a_message_up_to_its_limit(stage: Stage) -> None:
    prompts = {"voicemail_prompt_id": await stage.prompt(PROMPT)}
    hours = CLOSED | {"after_hours": VOICEMAIL}
    number = await stage.number(await stage.campaign(prompts=prompts), hours=hours)
    talk = await stage.call(number, BEEP, PROMPT, options=("--at-most-s", "30"))
    assert min(talk.seconds(BEEP), talk.seconds(PROMPT)) >= 0.3
    record = talk.record
    assert (record["disposition"], record["hung_up_by"]) == ("after_hours_voicemail", "server")
    assert record["voicemail"]["state"] == "ready"
    (message,) = await tracks(stage.api, f"calls/{record['id']}/voicemail")
    assert 2.7 <= len(message) / 8000 <= 3.1
    assert heard(message, CALLER) >= 2.2


async def test_a_message_ends_with_the_hash_key_or_the_caller(stage: Stage) -> None:
    hours = CLOSED | {"after_hours": VOICEMAIL | {"prompt_id": await stage.prompt(PROMPT, 0.2)}}
    campaign = await stage.campaign()
    by_key = await stage.number(campaign, hours=hours)
    talk = await stage.call(by_key, BEEP, options=("--press", "#", "--at-most-s", "30"))
    assert talk.record["hung_up_by"] == "server"
    leaving = await stage.number(campaign, hours=hours)
    left = await stage.call(leaving, BEEP, options=LEAVES)
    assert (left.record["hung_up_by"], left.record["voicemail"]["state"]) == ("caller", "ready")


async def test_a_full_number_and_a_route_without_targets_take_messages(stage: Stage) -> None:
    action = VOICEMAIL | {"prompt_id": await stage.prompt(PROMPT, 0.2)}
    full = [{"window": "concurrency", "limit": 0, "on_cap": action}]
    capped = await stage.number(await stage.campaign(), caps=full)
    talk = await stage.call(capped, BEEP, options=LEAVES)
    assert (talk.record["disposition"], talk.record["voicemail"]["state"]) == ("number_cap", "ready")
    overflowing = await stage.number(await stage.campaign(overflow=action))
    talk = await stage.call(overflowing, BEEP, options=LEAVES)
    assert talk.record["disposition"] == "no_target_none_configured"
    assert talk.record["voicemail"]["duration_s"] > 0.3


async def test_a_call_without_a_recording_says_so(stage: Stage) -> None:
    number = await stage.number(await stage.campaign(), hours=CLOSED | {"after_hours": {"action": "reject"}})
    talk = await stage.call(number, BEEP, options=("--at-most-s", "2"))
    assert talk.record["voicemail"] is None
    with pytest.raises(ApiError) as refused:
        await stage.api.get(f"calls/{talk.record['id']}/voicemail")
    assert refused.value.status == 404
    assert "has no voicemail" in str(refused.value.problem)


async def test_a_call_is_recorded_from_the_bridge_after_the_consent_message(stage: Stage) -> None:
    buyer = await stage.phone(BUYER, "--ring-s", "0.5")
    prompts = {
        "consent_prompt_id": await stage.prompt(PROMPT),
        "ringback_prompt_id": await stage.prompt(RING),
    }
    routed = await stage.campaign(await stage.target(buyer), prompts=prompts, record="connect")
    options = ("--enough-s", "1", "--at-most-s", "30")
    talk = await stage.call(await stage.number(routed), BUYER, PROMPT, RING, options=options)
    assert talk.seconds(PROMPT) >= 0.3
    assert talk.seconds(RING) >= 0.2, "the ringback prompt"
    record = talk.record
    assert (record["disposition"], record["recording"]["state"]) == ("connected", "ready")
    caller, target = await tracks(stage.api, f"calls/{record['id']}/recording")
    bridged = datetime.fromisoformat(record["ended_at"]) - datetime.fromisoformat(record["connected_at"])
    assert 0.8 <= len(caller) / 8000 <= bridged.total_seconds() + 0.3
    assert heard(caller, CALLER) >= 0.3
    assert heard(target, BUYER) >= 0.3
    assert heard(target, CALLER) == 0


async def test_a_call_recorded_from_the_start_holds_what_the_caller_said_before(stage: Stage) -> None:
    prompts = {"greeting_prompt_id": await stage.prompt(PROMPT, 0.2)}
    buyer = await stage.phone(BUYER, "--ring-s", "1")
    routed = await stage.campaign(await stage.target(buyer), prompts=prompts, record="start")
    options = ("--enough-s", "0.6", "--at-most-s", "30")
    talk = await stage.call(await stage.number(routed), BUYER, options=options)
    caller, target = await tracks(stage.api, f"calls/{talk.record['id']}/recording")
    assert heard(caller, CALLER) >= 1.4
    assert heard(target[: 8000 * 9 // 10], BUYER) == 0
    assert heard(target, BUYER) >= 0.2


async def test_a_call_that_nobody_answers_has_no_recording(stage: Stage) -> None:
    busy = await stage.phone(BUYER, "--status", "486")
    routed = await stage.campaign(await stage.target(busy), record="connect")
    talk = await stage.call(await stage.number(routed), BUYER, options=("--at-most-s", "4"))
    assert (talk.record["disposition"], talk.record["recording"]) == ("busy", None)
