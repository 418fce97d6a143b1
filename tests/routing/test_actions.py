"""An action becomes one decision, under the dispositions of its occasion."""

from edge.model.action import Action
from edge.model.decision import Announce, Proceed, Refuse, Step
from edge.routing.actions import Outcome, Owner, act, known_prompt
from edge.routing.admit import admit
from tests.routing.world import NIGHT, Taken, campaign, facts, number, office, prompt, world

OWNER = Owner(number(tags={"channel": "tv"}), campaign(), None)
OCCASION = Outcome("closed", "after_hours_message", "after_hours_reject", "after_hours_forward", "closed")
STEPS = (Step("hours", "closed"),)


def test_each_action_has_its_own_disposition_and_keeps_the_steps() -> None:
    snapshot = world()
    told = act(Action(action="message"), OCCASION, OWNER, snapshot, STEPS)
    refused = act(Action(action="reject"), OCCASION, OWNER, snapshot, STEPS)
    sent = act(Action(action="forward", target_id="t"), OCCASION, OWNER, snapshot, STEPS)
    assert isinstance(told, Announce)
    assert isinstance(refused, Refuse)
    assert isinstance(sent, Proceed)
    said = (told.disposition, refused.disposition, sent.base_disposition)
    assert said == ("after_hours_message", "after_hours_reject", "after_hours_forward")
    assert told.steps == refused.steps == sent.steps == STEPS
    assert (refused.status, sent.tags) == (480, {"channel": "tv"})


def test_one_disposition_may_stand_for_all() -> None:
    outcome = Outcome.of("full", "number_cap")
    refused = act(Action(action="reject"), outcome, OWNER, world(), ())
    assert isinstance(refused, Refuse)
    assert (refused.status, refused.detail) == (486, "full")


def test_a_prompt_that_is_gone_is_no_prompt() -> None:
    snapshot = world(prompts=[prompt("prm_1")])
    assert (known_prompt(snapshot, "prm_1"), known_prompt(snapshot, "prm_2")) == ("prm_1", None)


def test_a_voicemail_plays_its_own_prompt_else_the_campaign_s_else_the_built_in_one() -> None:
    own = Action(action="voicemail", prompt_id="prm_own")
    heard = []
    for action, prompts in [(own, {}), (Action(action="voicemail"), {"voicemail_prompt_id": "prm_1"})]:
        the_campaign = campaign(hours=office(action), prompts=prompts)
        snapshot = world(the_campaign=the_campaign, prompts=[prompt("prm_own"), prompt("prm_1")])
        found = admit(facts(NIGHT), snapshot, Taken())
        assert isinstance(found, Announce)
        assert (found.voicemail, found.built_in, found.disposition) == (
            True, "voicemail", "after_hours_voicemail",
        )  # fmt: skip
        heard.append(found.prompt_id)
    assert heard == ["prm_own", "prm_1"]
