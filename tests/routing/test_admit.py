"""Admission: the gates in their order, what each refusal answers, and what is written down."""

from datetime import datetime
from typing import Any

import pytest

from edge.model.action import Action
from edge.model.cap import Cap
from edge.model.decision import Announce, Proceed, Refuse
from edge.model.publishers import Publisher
from edge.routing.admit import admit, over_cap
from edge.routing.tags import tagged
from tests.routing.world import (
    NEW_YORK,
    NIGHT,
    NOON,
    OFFICE,
    STAMP,
    Taken,
    campaign,
    facts,
    number,
    office,
    prompt,
    route,
    target,
    trunk,
    world,
)

REJECT = Action(action="reject")
MESSAGE = Action(action="message", prompt_id="prm_1")
FORWARD = Action(action="forward", target_id="tgt_9")
DAY = Cap(id="cap_1", window="day", limit=2)


def test_a_publisher_s_caps_are_claimed_at_arrival_and_may_name_their_action() -> None:
    daily = Cap(id="cap_p", window="day", limit=1, on_cap=Action(action="reject"))
    owner = Publisher(id="pub_1", name="P", timezone="America/New_York", caps=(daily,), **STAMP)
    snapshot = world(number(publisher_id="pub_1"), publishers=[owner])
    taken = admit(facts(NIGHT), snapshot, Taken())
    assert isinstance(taken, Proceed)
    assert [(c.cap_id, c.owner_id, c.window) for c in taken.claims] == [("cap_p", "pub_1", "2026-11-20")]
    full = admit(facts(), snapshot, Taken(cap_p=1))
    assert isinstance(full, Refuse)
    assert (full.disposition, full.status) == ("number_cap", 486)
    after = over_cap(taken, snapshot, "cap_p")
    assert isinstance(after, Refuse) and after.disposition == "number_cap"
    assert snapshot.cap_owner("cap_p") == "pub_1"
    assert snapshot.with_changes([owner.model_copy(update={"caps": ()})]).cap_owner("cap_p") is None


def test_a_new_number_takes_calls_with_nothing_but_a_campaign() -> None:
    decided = admit(facts(), world(the_campaign=campaign(route("tgt_1"))), Taken())
    assert isinstance(decided, Proceed)
    assert (decided.number_id, decided.campaign_id) == ("num_1", "cmp_1")
    assert (decided.claims, decided.greeting_prompt_id, decided.forward_target_id) == ((), None, None)


@pytest.mark.parametrize(
    "the_number",
    [
        number(e164="+18005550199"),  # the dialled one is not ours
        number(state="available", campaign_id=None),  # in stock
        number(campaign_id="cmp_gone"),
    ],
)
def test_numbers_that_nobody_uses_are_unknown(the_number: Any) -> None:
    decided = admit(facts(), world(the_number), Taken())
    assert isinstance(decided, Refuse)
    assert (decided.status, decided.disposition) == (404, "rejected_unknown_number")


def test_the_trunks_default_number_takes_what_is_not_ours() -> None:
    snapshot = world(trunks=[trunk(default_number_id="num_1")])
    decided = admit(facts(called="+18005550177"), snapshot, Taken())
    assert isinstance(decided, Proceed)
    assert decided.number_id == "num_1"
    assert "default number" in decided.steps[0].reason


@pytest.mark.parametrize(
    ("the_number", "the_campaign"),
    [(number(state="paused"), campaign()), (number(), campaign(state="paused"))],
)
def test_paused_answers_480_unless_the_campaign_says_otherwise(the_number: Any, the_campaign: Any) -> None:
    decided = admit(facts(), world(the_number, the_campaign), Taken())
    assert isinstance(decided, Refuse)
    assert (decided.status, decided.disposition) == (480, "rejected_paused")


def test_a_paused_campaign_may_play_a_message_or_forward() -> None:
    told = admit(facts(), world(the_campaign=campaign(state="paused", on_paused=MESSAGE)), Taken())
    assert isinstance(told, Announce)
    assert (told.disposition, told.built_in) == ("rejected_paused", "unavailable")
    sent = admit(facts(), world(the_campaign=campaign(state="paused", on_paused=FORWARD)), Taken())
    assert isinstance(sent, Proceed)
    assert (sent.forward_target_id, sent.base_disposition) == ("tgt_9", "rejected_paused")


def test_after_hours_plays_the_closed_message_by_default() -> None:
    decided = admit(facts(NIGHT), world(number(hours=office())), Taken())
    assert isinstance(decided, Announce)
    assert (decided.disposition, decided.prompt_id, decided.built_in) == (
        "after_hours_message",
        None,
        "closed",
    )
    assert decided.steps[-1].result == "closed"


def test_after_hours_plays_the_prompt_that_was_chosen_or_the_built_in_if_it_is_gone() -> None:
    closed = number(hours=office(MESSAGE))
    there = admit(facts(NIGHT), world(closed, prompts=[prompt("prm_1")]), Taken())
    gone = admit(facts(NIGHT), world(closed), Taken())
    assert isinstance(there, Announce)
    assert isinstance(gone, Announce)
    assert (there.prompt_id, gone.prompt_id) == ("prm_1", None)


def test_after_hours_may_refuse_or_forward_and_a_forward_takes_no_capacity() -> None:
    refused = admit(facts(NIGHT), world(number(hours=office(REJECT), caps=(DAY,))), Taken())
    assert isinstance(refused, Refuse)
    assert (refused.status, refused.disposition) == (480, "after_hours_reject")
    sent = admit(facts(NIGHT), world(number(hours=office(FORWARD), caps=(DAY,))), Taken())
    assert isinstance(sent, Proceed)
    assert (sent.base_disposition, sent.claims) == ("after_hours_forward", ())


def test_a_numbers_own_hours_win_whole_over_the_campaigns() -> None:
    plan = campaign(hours=office())
    assert isinstance(admit(facts(NIGHT), world(the_campaign=plan), Taken()), Announce)
    always = number(hours=office(active=False))
    assert isinstance(admit(facts(NIGHT), world(always, plan), Taken()), Proceed)
    nights = number(hours=office(weekly={"fri": (("22:00", "02:00"),)}))
    assert isinstance(admit(facts(NIGHT), world(nights, plan), Taken()), Proceed)
    assert isinstance(admit(facts(NOON), world(nights, plan), Taken()), Announce)


def test_a_closed_number_never_reports_capped() -> None:
    shut = number(hours=office(REJECT), caps=(Cap(id="cap_1", window="day", limit=0),))
    decided = admit(facts(NIGHT), world(shut), Taken(cap_1=5))
    assert isinstance(decided, Refuse)
    assert decided.disposition == "after_hours_reject"
    assert "caps" not in [step.step for step in decided.steps]


def test_a_number_under_its_cap_claims_a_slot_of_its_own_day() -> None:
    late = datetime(2026, 11, 20, 23, 59, 58, tzinfo=NEW_YORK)
    capped = number(caps=(DAY,), timezone="America/New_York")
    decided = admit(facts(late), world(capped), Taken(cap_1=1))
    assert isinstance(decided, Proceed)
    assert [(c.cap_id, c.window, c.limit) for c in decided.claims] == [("cap_1", "2026-11-20", 2)]


def test_a_number_without_a_zone_counts_in_its_campaigns() -> None:
    late = datetime(2026, 11, 20, 23, 0, tzinfo=NEW_YORK)
    week = dict.fromkeys(OFFICE, (("00:00", "24:00"),))
    decided = admit(facts(late), world(number(caps=(DAY,)), campaign(hours=office(weekly=week))), Taken())
    assert isinstance(decided, Proceed)
    assert decided.claims[0].window == "2026-11-20"


@pytest.mark.parametrize(
    ("on_cap", "after_hours", "kind", "status"),
    [
        (REJECT, MESSAGE, Refuse, 486),
        (None, REJECT, Refuse, 486),  # the default is the after-hours action
        (None, MESSAGE, Announce, None),
        (FORWARD, REJECT, Proceed, None),
    ],
)
def test_a_full_number_takes_its_own_action(
    on_cap: Action | None, after_hours: Action, kind: type, status: int | None
) -> None:
    cap = DAY.model_copy(update={"on_cap": on_cap})
    full = world(number(caps=(cap,), hours=office(after_hours)))
    decided = admit(facts(), full, Taken(cap_1=2))
    assert isinstance(decided, kind)
    named = decided.base_disposition if isinstance(decided, Proceed) else decided.disposition
    assert named == "number_cap"
    assert getattr(decided, "status", None) == status
    assert "2 of 2" in decided.steps[-1].reason


def test_a_full_number_without_hours_says_that_nobody_is_available() -> None:
    decided = admit(facts(), world(number(caps=(DAY,), timezone="UTC")), Taken(cap_1=2))
    assert isinstance(decided, Announce)
    assert decided.built_in == "unavailable"


def test_a_lost_race_takes_the_action_of_the_cap_that_was_full() -> None:
    caps = (DAY, Cap(id="cap_2", window="concurrency", limit=1, on_cap=REJECT))
    snapshot = world(number(caps=caps, timezone="UTC"))
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    assert isinstance(over_cap(proceed, snapshot, "cap_1"), Announce)
    refused = over_cap(proceed, snapshot, "cap_2")
    assert isinstance(refused, Refuse)
    assert (refused.status, refused.disposition) == (486, "number_cap")


def test_a_lost_race_that_leads_on_keeps_what_the_visit_said() -> None:
    snapshot = world(number(caps=(DAY.model_copy(update={"on_cap": FORWARD}),), timezone="UTC"))
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    seen = tagged(proceed, {}, "url", {"utm_source": "ads"}, NOON)
    onward = over_cap(seen, snapshot, "cap_1")
    assert isinstance(onward, Proceed)
    assert (onward.forward_target_id, onward.claims, onward.tags) == ("tgt_9", (), {"utm_source": "ads"})


def test_the_greeting_is_played_unless_it_is_gone() -> None:
    plan = campaign(prompts={"greeting_prompt_id": "prm_1"})
    there = admit(facts(), world(the_campaign=plan, prompts=[prompt("prm_1")]), Taken())
    gone = admit(facts(), world(the_campaign=plan), Taken())
    assert isinstance(there, Proceed)
    assert isinstance(gone, Proceed)
    assert (there.greeting_prompt_id, gone.greeting_prompt_id) == ("prm_1", None)


def test_the_steps_tell_the_gates_in_order() -> None:
    snapshot = world(number(hours=office(), caps=(DAY,), tags={"channel": "tv"}), targets=[target()])
    decided = admit(facts(), snapshot, Taken())
    assert isinstance(decided, Proceed)
    assert [step.step for step in decided.steps] == ["number", "paused", "hours", "caps", "prompts"]
    assert decided.tags == {"channel": "tv"}


def test_a_campaigns_caps_are_reserved_with_the_numbers_in_its_own_zone() -> None:
    daily = Cap(id="cap_c", window="day", limit=1, on_cap=Action(action="reject"))
    own = Cap(id="cap_n", window="concurrency", limit=1)
    plan = campaign(caps=(daily,), timezone="Asia/Kolkata")
    snapshot = world(number(caps=(own,), timezone="America/New_York"), plan)
    late = facts(NOON.replace(hour=22))
    proceed = admit(late, snapshot, Taken())
    assert isinstance(proceed, Proceed)
    assert {claim.cap_id: claim.window for claim in proceed.claims} == {"cap_n": "", "cap_c": "2026-11-21"}
    for refused in (admit(late, snapshot, Taken(cap_c=1)), over_cap(proceed, snapshot, "cap_c")):
        assert isinstance(refused, Refuse)
        assert (refused.status, refused.disposition) == (486, "number_cap")
