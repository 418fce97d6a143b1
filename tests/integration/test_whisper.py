"""What targets hear before the bridge, and the key by which they take a call."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.server import Server, running_server
from tests.support.stage import Stage, stage_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHISPER, FIRST, SECOND = 1200, 700, 850
"""Hz: what each of them sounds like."""
CALLER = 500


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_server(tmp_path_factory.mktemp("whisper")) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def stage(server: Server) -> AsyncIterator[Stage]:
    async with stage_of(server) as made:
        yield made


async def test_a_target_hears_the_whisper_and_takes_the_call_by_its_key(stage: Stage) -> None:
    phone = await stage.phone(FIRST, "--press", "5", listen_for=WHISPER)
    target = await stage.target(phone, whisper_prompt_id=await stage.prompt(WHISPER), accept_key="5")
    number = await stage.number(await stage.campaign(target))
    talk = await stage.call(number, FIRST, options=("--enough-s", "0.6", "--at-most-s", "30"))
    heard = await phone.until("heard", 30)
    assert heard["tones"][str(WHISPER)] >= 0.1
    assert talk.record["disposition"] == "connected"
    assert talk.seconds(FIRST) >= 0.3
    assert talk.record["keys_pressed"] == ""


async def test_a_whisper_without_a_key_is_heard_out_and_then_the_call_is_bridged(stage: Stage) -> None:
    phone = await stage.phone(FIRST, listen_for=WHISPER)
    target = await stage.target(phone, whisper_prompt_id=await stage.prompt(WHISPER, 0.6))
    number = await stage.number(await stage.campaign(target))
    talk = await stage.call(number, FIRST, options=("--enough-s", "0.6", "--at-most-s", "30"))
    assert (await phone.until("heard", 30))["tones"][str(WHISPER)] >= 0.25
    assert talk.record["disposition"] == "connected"


async def test_a_target_that_hangs_up_instead_of_accepting_gives_way_to_the_next(stage: Stage) -> None:
    unwilling = await stage.phone(FIRST, "--at-most-s", "0.8")
    willing = await stage.phone(SECOND)
    first = await stage.target(unwilling, accept_key="1")
    number = await stage.number(await stage.campaign(first, await stage.target(willing)))
    talk = await stage.call(number, SECOND, FIRST, options=("--enough-s", "0.6", "--at-most-s", "30"))
    assert talk.seconds(FIRST) == 0
    assert [(a["outcome"], a["status"]) for a in talk.record["attempts"]] == [
        ("refused", 200),
        ("answered", 200),
    ]


async def test_a_caller_who_leaves_during_the_whisper(stage: Stage) -> None:
    phone = await stage.phone(FIRST)
    target = await stage.target(phone, whisper_prompt_id=await stage.prompt(WHISPER, 20))
    number = await stage.number(await stage.campaign(target, prompts={}))
    talk = await stage.call(number, FIRST, options=("--at-most-s", "3"))
    assert talk.record["disposition"] == "caller_hung_up_ringing"
    assert (await phone.until("heard", 30))["tones"][str(CALLER)] == 0


async def test_a_pbx_gets_its_digits_before_the_bridge(stage: Stage) -> None:
    phone = await stage.phone(FIRST, listen_for=CALLER)
    target = await stage.target(phone, send_digits="12w#")
    number = await stage.number(await stage.campaign(target))
    talk = await stage.call(number, FIRST, options=("--enough-s", "0.6", "--at-most-s", "30"))
    assert talk.record["disposition"] == "connected"
    await phone.until("heard", 30)
    keys = [event["digit"] for event in phone.told if event["event"] == "key"]
    assert keys == ["1", "2", "#"]
    assert ("send_digits", "events") in [(s["step"], s["result"]) for s in talk.record["decision"]["steps"]]


async def test_a_target_is_sent_so_many_calls_a_second(stage: Stage) -> None:
    phone = await stage.phone(FIRST)
    target = await stage.target(phone, max_cps=0.01)
    number = await stage.number(await stage.campaign(target))
    talk = await stage.call(number, FIRST, options=("--enough-s", "0.3", "--at-most-s", "30"))
    assert talk.record["disposition"] == "connected"
    other = await stage.number(await stage.campaign(target))
    again = await stage.call(other, FIRST, options=("--at-most-s", "3"))
    assert again.record["disposition"] == "no_target_all_capped"
    assert [c["reason"] for c in again.record["decision"]["candidates"]] == ["capped"]
