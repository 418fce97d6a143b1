"""What a campaign wants recorded and heard reaches the call by every way that leads to targets."""

from edge.model.action import Action
from edge.model.decision import Proceed, Sounds
from edge.model.menu import Menu, MenuKey
from edge.routing.admit import admit
from edge.routing.menu import picked
from tests.routing.world import NIGHT, NOON, Taken, campaign, facts, office, prompt, route, target, world

PROMPTS = {"consent_prompt_id": "prm_1", "ringback_prompt_id": "prm_gone", "hold_prompt_id": "prm_1"}
WANTED = Sounds("connect", "prm_1", None, "prm_1")


def test_the_route_and_an_action_s_forward_bring_the_campaign_s_sounds_without_lost_prompts() -> None:
    closed = office(Action(action="forward", target_id="tgt_1"))
    recorded = campaign(route("tgt_1"), routes={"record": "connect"}, prompts=PROMPTS, hours=closed)
    snapshot = world(the_campaign=recorded, targets=[target()], prompts=[prompt("prm_1")])
    for at in (facts(), facts(NIGHT)):
        found = admit(at, snapshot, Taken())
        assert isinstance(found, Proceed)
        assert found.sounds == WANTED


def test_a_campaign_behind_a_key_brings_its_own() -> None:
    key = MenuKey(campaign_id="cmp_2")
    first = campaign(routes={"menu": Menu(prompt_id="prm_1", keys={"1": key})})
    second = campaign(id="cmp_2", routes={"record": "connect"}, prompts=PROMPTS)
    snapshot = world(the_campaign=first, campaigns=[first, second], prompts=[prompt("prm_1")])
    asked = admit(facts(), snapshot, Taken())
    assert isinstance(asked, Proceed)
    assert asked.sounds == Sounds()
    found = picked(asked, snapshot, "1", key, NOON)
    assert isinstance(found, Proceed)
    assert found.sounds == WANTED
