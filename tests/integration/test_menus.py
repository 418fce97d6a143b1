"""Menus in real calls: phones press keys, by telephone-events and by INFO."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.api import ApiError, Json
from tests.support.ports import own_address
from tests.support.scenario import ack, arrives, expect, info, invite, reply, sdp, written
from tests.support.server import Server, eventually, running_server
from tests.support.sipp import sipp
from tests.support.stage import Stage, stage_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU, WRONG, GREETING, SALES, OTHER, BUYER = 1000, 1200, 1400, 700, 850, 600
"""Hz: what each of them sounds like."""
LEAVES = ("--enough-s", "1")
"""A target that hangs up when it has heard the caller for so long."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_server(tmp_path_factory.mktemp("menus")) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def stage(server: Server) -> AsyncIterator[Stage]:
    async with stage_of(server) as made:
        yield made


async def menu(stage: Stage, **keys: Json) -> Json:
    return {"prompt_id": await stage.prompt(MENU), "timeout_s": 0.5, "repeat": 0, "keys": keys}


async def test_a_key_leads_to_its_target(stage: Stage) -> None:
    sales = await stage.phone(SALES, *LEAVES)
    asked = await menu(stage, **{"2": {"target_id": await stage.target(sales)}})
    number = await stage.number(await stage.campaign(menu=asked))
    talk = await stage.call(number, MENU, SALES, options=("--press", "2"))
    assert talk.seconds(SALES) >= 0.3
    assert talk.seconds(MENU) <= 0.4, "the key ends the prompt"
    assert (talk.record["disposition"], talk.record["keys_pressed"]) == ("connected", "2")
    assert ("menu", "key 2") in [(s["step"], s["result"]) for s in talk.record["decision"]["steps"]]


async def test_a_wrong_key_is_told_and_none_leads_to_the_route(stage: Stage) -> None:
    buyer = await stage.phone(BUYER, *LEAVES)
    target = await stage.target(buyer)
    asked = await menu(stage, **{"1": {"target_id": target}})
    asked |= {"invalid_prompt_id": await stage.prompt(WRONG), "repeat": 1}
    number = await stage.number(await stage.campaign(target, menu=asked))
    talk = await stage.call(number, MENU, WRONG, BUYER, options=("--press", "7"))
    assert min(talk.seconds(WRONG), talk.seconds(MENU)) >= 0.2
    assert talk.seconds(BUYER) >= 0.2
    assert (talk.record["disposition"], talk.record["keys_pressed"]) == ("connected", "7")


async def test_a_key_leads_to_another_campaign_and_its_greeting(stage: Stage) -> None:
    buyer = await stage.phone(OTHER, *LEAVES)
    greeting = {"greeting_prompt_id": await stage.prompt(GREETING)}
    other = await stage.campaign(await stage.target(buyer), prompts=greeting)
    asked = await menu(stage, **{"*": {"campaign_id": other}})
    number = await stage.number(await stage.campaign(menu=asked))
    talk = await stage.call(number, MENU, GREETING, OTHER, options=("--press", "*"))
    assert talk.seconds(GREETING) >= 0.3
    assert talk.seconds(OTHER) >= 0.25
    assert talk.record["campaign_id"] != other


async def test_no_key_takes_on_timeout(stage: Stage) -> None:
    asked = await menu(stage, **{"1": {"replay": True}})
    asked["on_timeout"] = {"action": "message", "prompt_id": await stage.prompt(WRONG)}
    number = await stage.number(await stage.campaign(menu=asked))
    talk = await stage.call(number, MENU, WRONG)
    assert talk.seconds(WRONG) >= 0.3
    assert talk.record["disposition_detail"] == "menu: no key: message"
    assert talk.record["hung_up_by"] == "server"


async def test_a_caller_who_leaves_in_the_menu(stage: Stage) -> None:
    asked = await menu(stage, **{"1": {"replay": True}})
    number = await stage.number(await stage.campaign(menu=asked | {"timeout_s": 20}))
    talk = await stage.call(number, MENU, options=("--enough-s", "0.2"))
    assert (talk.record["disposition"], talk.record["hung_up_by"]) == ("caller_hung_up_menu", "caller")


async def test_a_key_by_info_even_during_the_greeting(stage: Stage, server: Server, tmp_path: Path) -> None:
    sales = await stage.phone(SALES)
    asked = await menu(stage, **{"5": {"target_id": await stage.target(sales)}})
    greeting = {"greeting_prompt_id": await stage.prompt(GREETING, 20)}
    number = await stage.number(await stage.campaign(menu=asked, prompts=greeting))
    host = own_address()
    await stage.api.post("trunks", {"name": host, "addresses": [f"{host}/32"]})
    pressed = info("Signal=5\nDuration=160\n", "application/dtmf-relay", 2)
    connects = (invite(sdp()), expect(100, optional=True), expect(200), ack(), pressed)
    caller = written(tmp_path, "caller", *connects, arrives("BYE"), reply())
    async with sipp(tmp_path, caller, server.address(), "-s", number, host=host) as calling:
        await hang_up(stage, number)
        (await calling.result()).check()
    record = await stage.record(number)
    assert (record["disposition"], record["keys_pressed"]) == ("connected", "5")


async def hang_up(stage: Stage, number: str) -> None:
    """As an operator does, once the call is up with its target."""

    async def up() -> Json | None:
        live = (await stage.api.get("calls/live"))["items"]
        return next((call for call in live if call["called"] == number and call["connected_at"]), None)

    found = await eventually(up)
    await stage.api.post(f"calls/{found['id']}/hangup", {})


async def test_menus_that_lead_in_a_circle_are_refused(stage: Stage) -> None:
    asked = await menu(stage, **{"1": {"replay": True}})
    first = await stage.campaign(menu=asked)
    second = await stage.campaign(menu=asked | {"keys": {"2": {"campaign_id": first}}})
    with pytest.raises(ApiError) as refused:
        await stage.api.patch(
            f"campaigns/{first}", {"routes": {"menu": asked | {"keys": {"3": {"campaign_id": second}}}}}
        )
    assert refused.value.status == 422
    assert "routes.menu.keys.3.campaign_id" in str(refused.value.problem)
