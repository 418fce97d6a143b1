"""Stories in which the long runs found something: each as short as it could be made."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from edge.calls.happenings import MediaHappened
from edge.calls.leg import Leg
from edge.calls.reception import RINGBACK
from edge.media.engine import PlayDone
from edge.sip.events import Answered, OfferAnswered
from edge.sip.exchange import Exchange
from edge.sip.message import respond
from tests.interleavings.machine import DEFAULT, Interleavings, replaces, sdp
from tests.interleavings.stage import EDGE, GREETED, PLAIN, PRESSED, TARGETS, WHISPERED


@pytest.fixture
def story() -> Iterator[Interleavings]:
    """On a network that does what it should; in the end everybody hangs up, and nothing may be left."""
    machine = Interleavings()
    machine.begin(seed=0, loss=0.0, transport="udp")
    yield machine
    machine.teardown()


def test_an_offer_of_ours_that_waits_is_newer_than_what_the_peer_was_told_meanwhile(
    story: Interleavings,
) -> None:
    """The caller offers while a colleague takes its target's call, which is to be offered to the caller."""
    for _ in range(2):
        story.a_call_comes_up(number=PLAIN, early=False, formats="8 101", timer="", after=0.0)
    story.time_passes(after=5.0)
    story.a_colleague_takes_a_call(who=1, early_only=False, offers=False, formats="0 8 101", after=0.0)
    story.a_phone_offers(who=0, direction="sendrecv", formats="8 101", soon=False, after=0.1)


def test_of_two_that_join_the_same_two_calls_at_once_one_does(story: Interleavings) -> None:
    """Each of the calls asked for the other's party, and neither could lend its own while it waited."""
    for _ in range(2):
        story.a_call_comes_up(number=PLAIN, early=False, formats="0 8 101", timer="", after=1.0)
    phone = story.targets[0]
    one, other = (usage for usage in phone.usages if usage.state == "up")
    for usage, wanted in ((one, other), (other, one)):
        to = f"<sip:edge@{EDGE}?Replaces={replaces(wanted).replace(';', '%3B')}>"
        Exchange(usage.core, usage.dialog, "REFER", (("Refer-To", to),))
    story.pass_time(5.0)
    assert [usage.state for usage in phone.usages] == ["over", "over"]
    assert [usage.state for usage in story.caller.usages] == ["up", "up"]
    assert len(story.edge.switch.live()) == 1


def test_a_late_answer_to_a_join_that_was_given_up_is_not_taken_for_another_offers(
    story: Interleavings,
) -> None:
    """Who was to be joined takes its new address when nobody waits any more: it does not know CANCEL."""
    for _ in range(2):
        story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=1.0)
    node, party = story.caller.node, story.caller.usages[1]
    receive = node.receive
    node.receive = lambda data, source: None if data.startswith(b"CANCEL") else receive(data, source)  # type: ignore[method-assign]
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    joined, other = (usage for usage in story.targets[0].usages if usage.state == "up")
    to = f"<sip:edge@{EDGE}?Replaces={replaces(other).replace(';', '%3B')}>"
    Exchange(joined.core, joined.dialog, "REFER", (("Refer-To", to),))
    story.pass_time(34.0)
    assert len(story.edge.switch.live()) == 2, "nothing has come of it"
    ((asked, _),) = story.caller.offered
    assert asked is party
    story.caller.decide(party, accepts=True)
    story.pass_time(0.1)
    other.offer_again(story.targets[0].description("sendonly"))
    story.pass_time(0.1)
    story.caller.decide(party, accepts=True)
    story.pass_time(0.1)
    story.caller.decide(party, accepts=False)
    story.caller.offered.clear()
    story.pass_time(5.0)


def test_who_heard_a_target_that_gives_way_hears_ringing_again(story: Interleavings) -> None:
    story.the_caller_dials(GREETED, True, "", "0 8 101", "", 2.0)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    story.a_target_refuses(status=486, after=0.5)
    (call, _) = next(iter(story.edge.switch._calls.values()))
    assert call.reception.phase == "ringing"


@pytest.mark.parametrize("whispers", [True, False])
def test_who_is_not_answered_yet_and_heard_a_target_hears_ringing_when_that_is_over(
    story: Interleavings, whispers: bool
) -> None:
    """Its phone plays nothing itself any more: it was told where the audio comes from."""
    story.the_caller_dials(WHISPERED if whispers else PLAIN, True, "", "0 8 101", "", 0.5)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    (call, _) = next(iter(story.edge.switch._calls.values()))
    media: Any = call.reception.listen().media
    ringing = RINGBACK if whispers else "prm_2"
    assert (media.other is not None, media.playing) == (True, "")
    if whispers:
        story.a_target_answers(formats="0 8 101", after=0.5)
    else:
        story.a_target_refuses(status=486, after=0.5)
    assert not call.reception.answered
    assert (media.other, media.playing) == (None, ringing)
    if whispers:
        story.a_phone_presses_a_key(who=2, after=0.5)
        return
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    assert (media.other is not None, media.playing, media.gives_way) == (True, ringing, True)
    story.a_target_answers(formats="0 8 101", after=0.5)
    assert (media.other is not None, media.playing) == (True, "")


def test_who_is_transferred_hears_the_campaigns_ringback_prompt(story: Interleavings) -> None:
    """Also where the call began without any ringing of ours."""
    story.a_call_comes_up(number=PLAIN, early=False, formats="0 8 101", timer="", after=1.0)
    (call, _) = next(iter(story.edge.switch._calls.values()))
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    media: Any = call.reception.listen().media
    assert (call.reception.phase, media.playing) == ("transfer", "prm_2")


def test_the_end_of_what_a_target_heard_that_just_hung_up_is_not_taken_for_the_callers(
    story: Interleavings,
) -> None:
    """It may wait behind the hang-up; the caller's prompt, which comes next, may have the same number."""
    story.the_caller_dials(GREETED, True, "", "0 8 101", "", 0.5)
    (call, _) = next(iter(story.edge.switch._calls.values()))
    reception = call.reception
    media: Any = reception.listen().media
    gone = Leg("target", call.reception.media.leg(), reception.inbox)
    reception.inbox.put(MediaHappened(gone, PlayDone(media._token)))
    story.pass_time(0.1)
    assert (reception.phase, media.playing) == ("prompt", "prm_1")
    call.reception.media.close_leg(gone.media)


@pytest.mark.parametrize("gives_up", ["caller", "target", "PRACK"])
def test_a_caller_whose_200_never_went_was_neither_answered_nor_connected(
    story: Interleavings, gives_up: str
) -> None:
    """It waits for the PRACK of the description that went with the 183."""
    node = story.edge.node
    receive = node.receive
    node.receive = lambda data, source: None if data.startswith(b"PRACK") else receive(data, source)  # type: ignore[method-assign]
    story.the_caller_dials(PLAIN, True, "Require", "0 8 101", "", 0.1)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.3)
    story.a_target_answers(formats="0 8 101", after=0.1)
    if gives_up != "PRACK":
        (story.caller if gives_up == "caller" else story.targets[0]).usages[0].hang_up()
    story.pass_time(40.0)
    node.receive = receive  # type: ignore[method-assign]
    (record,) = story.edge.store.records
    assert [record[name] for name in ("answered_at", "connected_at", "target_id")] == [None] * 3
    assert record["disposition"] == {
        "caller": "caller_hung_up_ringing", "target": "target_failed", "PRACK": "error_sip",
    }[gives_up]  # fmt: skip


@pytest.mark.parametrize(("number", "by"), [(GREETED, "admin"), (PLAIN, "admin"), (PLAIN, "server")])
def test_what_was_hung_up_on_before_the_bridge_says_of_no_target_that_it_failed(
    story: Interleavings, number: str, by: Literal["admin", "server"]
) -> None:
    """While it was greeted nobody had been dialled at all."""
    story.the_caller_dials(number, True, "", "0 8 101", "", 0.5)
    (call_id,) = story.edge.switch.live()
    assert story.edge.switch.hang_up(call_id, by)
    story.pass_time(5.0)
    (record,) = story.edge.store.records
    assert (record["disposition"], record["hung_up_by"]) == ("interrupted", by)


def test_a_ringback_prompt_that_is_gone_by_a_transfer_leaves_plain_ringing(story: Interleavings) -> None:
    story.the_caller_dials(GREETED, True, "", "0 8 101", "", 2.0)
    (call, _) = next(iter(story.edge.switch._calls.values()))
    reception = call.reception
    reception.ring("prm_1")
    media: Any = reception.listen().media
    assert media.playing == "prm_1"
    reception.services = replace(reception.services, prompt_ready=lambda _: False)
    reception.ring_on()
    assert media.playing == RINGBACK


def test_a_target_that_offers_anew_while_keys_are_pressed_to_it_is_heard_and_sent_to_there(
    story: Interleavings,
) -> None:
    story.a_call_comes_up(number=PRESSED, early=False, formats="0 8 101", timer="", after=0.1)
    phone = story.targets[0]
    (usage,) = phone.usages
    usage.offer_again(sdp(phone.host, version=50, port=4998))
    story.pass_time(5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_who_asked_for_an_offer_while_it_rang_is_sent_to_where_its_ack_says(story: Interleavings) -> None:
    """The target answered before the ACK came."""
    story.the_caller_dials(GREETED, True, "", "0 8 101", "", 2.0)
    story.caller.moves = 1.0
    story.a_phone_asks_for_an_offer(who=0, after=0.0075)
    story.a_target_answers(formats="0 8 101", after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_who_takes_the_early_offer_of_a_target_that_gave_way_is_sent_to_where_it_said(
    story: Interleavings,
) -> None:
    story.the_caller_dials(PLAIN, True, "Require", "0 8 101", "", 0.1)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    story.caller.moves = 1.0
    story.a_phone_offers(who=1, direction="sendrecv", formats="8 101", soon=True, after=0.1)
    assert story.caller.offered, "it has crossed"
    story.a_target_refuses(status=486, after=0.1)
    story.a_phone_decides_about_offers(who=0, obliging=True, accepts=True, after=1.0)
    story.a_target_answers(formats="8 101", after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("after", [0.0, 40.0])
def test_what_a_target_that_gave_way_offered_is_settled_with_who_answered(
    story: Interleavings, accepts: bool, after: float
) -> None:
    """The caller says what it thinks of it when the next target has answered in another codec, or never."""
    story.the_caller_dials(PLAIN, True, "Require", "0 8 101", "", 0.1)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    story.a_phone_offers(who=1, direction="sendonly", formats="8 101", soon=True, after=0.1)
    assert story.caller.offered, "it has crossed"
    story.a_target_refuses(status=486, after=0.1)
    story.a_target_answers(formats="0 101", after=after)
    story.a_phone_decides_about_offers(who=0, obliging=True, accepts=accepts, after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


@pytest.mark.parametrize("number", [PLAIN, GREETED])
def test_who_is_put_on_hold_by_a_target_that_gives_way_talks_with_the_next(
    story: Interleavings, number: str
) -> None:
    story.the_caller_dials(number, True, "Require", "0 8 101", "", 2.0)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    story.a_phone_offers(who=1, direction="sendonly", formats="0 8 101", soon=True, after=0.5)
    story.a_target_refuses(status=486, after=0.1)
    story.a_target_answers(formats="0 8 101", after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_a_caller_that_asks_for_an_offer_while_it_hears_a_target_that_rings_gets_one(
    story: Interleavings,
) -> None:
    story.the_caller_dials(GREETED, True, "", "0 8 101", "", 2.0)
    story.a_target_rings(status=183, media=True, formats="0 8 101", after=0.5)
    (usage,) = story.caller.usages
    before = usage.told
    story.a_phone_asks_for_an_offer(who=0, after=0.5)
    assert usage.told != before, "it has answered an offer"
    story.a_target_answers(formats="0 8 101", after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_who_holds_its_target_itself_still_does_when_that_transfers_the_call(story: Interleavings) -> None:
    story.a_call_comes_up(number=PLAIN, early=False, formats="0 8 101", timer="", after=0.1)
    story.a_phone_offers(who=0, direction="sendonly", formats="0 8 101", soon=False, after=0.5)
    before = story.caller.version
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    (invited,) = story.targets[2].usages
    assert b"a=sendonly" in invited.offer
    story.a_target_answers(formats="0 8 101", after=5.0)
    assert story.caller.version == before, "nothing is new for it"
    assert [each.state for each in story.caller.usages] == ["up"]


def test_a_transfer_that_was_refused_while_an_ack_was_waited_for_is_not_carried_out(
    story: Interleavings,
) -> None:
    story.the_caller_dials(PLAIN, False, "", DEFAULT, "", 0.1)
    (call,) = story.caller.usages
    heard: list[object] = []
    call.on_event = heard.append
    story.a_target_answers(formats=DEFAULT, after=0.5)
    story.a_target_transfers(to=TARGETS[2], after=20.0)
    refused = [data for data, source, _ in story.air.recent(20.0) if data.startswith(b"SIP/2.0 603")]
    assert refused, "it waits no longer"
    call.ack(story.caller.description())
    story.pass_time(5.0)
    assert not story.targets[2].usages
    assert [usage.state for usage in (call, *story.targets[0].usages)] == ["up", "up"]
    assert not [data for data, source, _ in story.air.recent(5.0) if data.startswith(b"NOTIFY")]


@pytest.mark.parametrize("accepts", [True, False])
def test_an_offer_that_a_target_decides_about_as_it_answers_is_what_both_have(
    story: Interleavings, accepts: bool
) -> None:
    """The caller holds while it rings, and its target hears a whisper first."""
    story.the_caller_dials(WHISPERED, True, "Require", DEFAULT, "", 0.1)
    story.a_target_rings(status=183, media=True, formats=DEFAULT, after=0.5)
    story.a_phone_decides_about_offers(who=2, obliging=False, accepts=False, after=0.0)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=True, after=0.1)
    assert story.targets[1].offered, "it has crossed"
    story.a_target_answers(formats=DEFAULT, after=0.5)
    story.a_phone_decides_about_offers(who=2, obliging=True, accepts=accepts, after=1.0)
    story.a_phone_presses_a_key(who=2, after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_what_a_caller_chooses_of_a_targets_codecs_is_offered_to_the_target(story: Interleavings) -> None:
    """The target may list codecs that it was not offered, and the caller takes one of those alone."""
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    story.a_call_comes_up(number=PLAIN, early=True, formats="9 0", timer="", after=0.0)
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.0)
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=True, narrow=True, after=5.0)
    assert story.edge.deaf() == []


def test_an_offer_of_a_target_that_is_asked_first_is_not_left_without_an_answer(story: Interleavings) -> None:
    """It offered while it rang, and answered before the caller said what it thinks of that."""
    story.the_caller_dials(WHISPERED, True, "Require", DEFAULT, "", 0.1)
    story.a_target_rings(status=183, media=True, formats=DEFAULT, after=0.5)
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    story.a_phone_offers(who=2, direction="sendrecv", formats="8 101", soon=True, after=0.1)
    assert story.caller.offered, "it has crossed"
    (usage,) = story.targets[1].usages
    assert usage.own_offer.pending
    story.a_target_answers(formats=DEFAULT, after=0.5)
    assert not usage.own_offer.pending, "it has its answer"
    story.a_phone_decides_about_offers(who=0, obliging=True, accepts=True, after=1.0)
    story.a_phone_presses_a_key(who=2, after=5.0)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=False, after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_an_offer_of_whom_a_call_is_transferred_to_is_not_left_without_an_answer(
    story: Interleavings,
) -> None:
    """It offered while it rang, and answered before the caller said what it thinks of that."""
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    story.a_target_rings(status=183, media=True, formats=DEFAULT, after=0.5)
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    story.a_phone_offers(who=3, direction="sendrecv", formats="8 101", soon=True, after=0.1)
    assert story.caller.offered, "it has crossed"
    (usage,) = story.targets[2].usages
    assert usage.own_offer.pending
    story.a_target_answers(formats=DEFAULT, after=0.5)
    assert not usage.own_offer.pending, "it has its answer"
    story.a_phone_decides_about_offers(who=0, obliging=True, accepts=True, after=5.0)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=False, after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_what_a_caller_chooses_of_a_late_offer_is_offered_to_the_target(story: Interleavings) -> None:
    """The target listed a codec that it was not offered, and the caller's ACK takes that one alone."""
    story.the_caller_dials(PLAIN, False, "", DEFAULT, "", 0.1)
    (call,) = story.caller.usages
    hear = call.on_event
    call.on_event = lambda event: None if isinstance(event, Answered) else hear(event)
    story.a_target_answers(formats="9 0", after=0.5)
    call.ack(story.caller.description(formats="9"))
    story.pass_time(5.0)
    assert story.edge.deaf() == []


def test_who_offers_while_an_offer_for_which_nobody_waits_is_put_off_and_then_refuses_that_has_its_own(
    story: Interleavings,
) -> None:
    """The caller holds while it rings; the target that answers meanwhile hears a whisper first."""
    story.the_caller_dials(WHISPERED, True, "Require", DEFAULT, "", 0.1)
    story.a_target_rings(status=183, media=True, formats=DEFAULT, after=0.5)
    story.a_phone_decides_about_offers(who=2, obliging=False, accepts=False, after=0.0)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=True, after=0.1)
    story.a_phone_decides_about_offers(who=2, obliging=False, accepts=False, status=491, after=0.1)
    story.a_target_answers(formats=DEFAULT, after=0.1)
    story.a_phone_offers(who=2, direction="sendrecv", formats="0", soon=False, after=4.0)
    assert story.targets[1].offered, "it has come again"
    story.a_phone_decides_about_offers(who=2, obliging=True, accepts=False, after=0.1)
    story.a_phone_presses_a_key(who=2, after=2.0)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=False, after=2.0)
    story.a_phone_offers(who=0, direction="sendrecv", formats=DEFAULT, soon=False, after=2.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def flows(story: Interleavings) -> bool:
    """Whether both sides of the only call were last told that the other one hears them."""
    ((call, _),) = story.edge.switch._calls.values()
    legs = (call.reception.caller, call.target)
    return call.reception.phase == "bridged" and not any(leg is None or leg.on_hold for leg in legs)


@pytest.mark.parametrize("holds", [0, 1], ids=["caller", "target"])
def test_who_takes_the_other_off_hold_while_a_transfer_fails_hears_it(
    story: Interleavings, holds: int
) -> None:
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    story.a_phone_offers(who=holds, direction="sendonly", formats=DEFAULT, soon=False, after=1.0)
    assert not flows(story)
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    story.a_phone_offers(who=holds, direction="sendrecv", formats=DEFAULT, soon=False, after=1.0)
    story.a_target_refuses(status=486, after=5.0)
    assert flows(story)


@pytest.mark.parametrize("held_before", [False, True])
def test_who_was_put_on_hold_by_whom_a_call_was_to_be_transferred_to_talks_with_the_old_target(
    story: Interleavings, *, held_before: bool
) -> None:
    """Who held that one before is told that it is off hold, and the old target that the caller is back."""
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    if held_before:
        story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=False, after=1.0)
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    story.a_target_rings(status=183, media=True, formats=DEFAULT, after=0.5)
    if held_before:
        story.a_phone_offers(who=0, direction="sendrecv", formats=DEFAULT, soon=False, after=1.0)
    story.a_phone_offers(who=3, direction="sendonly", formats=DEFAULT, soon=True, after=1.0)
    assert not flows(story)
    story.a_target_refuses(status=486, after=5.0)
    assert flows(story)


def test_who_resumes_while_somebody_rings_that_was_offered_a_hold_is_heard_by_it(
    story: Interleavings,
) -> None:
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=False, after=1.0)
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    story.a_phone_offers(who=0, direction="sendrecv", formats=DEFAULT, soon=False, after=1.0)
    story.a_target_answers(formats=DEFAULT, after=5.0)
    assert flows(story)


def test_who_resumes_before_a_target_answers_in_another_codec_is_heard_and_follows(
    story: Interleavings,
) -> None:
    story.the_caller_dials(GREETED, True, "", DEFAULT, "", 0.1)
    story.a_phone_offers(who=0, direction="sendonly", formats=DEFAULT, soon=False, after=2.0)
    story.a_target_rings(status=180, media=False, formats=DEFAULT, after=0.5)
    story.a_phone_offers(who=0, direction="sendrecv", formats=DEFAULT, soon=False, after=1.0)
    story.a_target_answers(formats="8 101", after=5.0)
    assert flows(story) and story.edge.deaf() == []


def test_a_target_that_does_not_take_what_its_callers_ack_chose_is_followed(story: Interleavings) -> None:
    """The caller asked for an offer while it rang; its ACK comes once the target has answered."""
    story.the_caller_dials(GREETED, True, "", "0", "", 2.0)
    (call,) = story.caller.usages
    hear = call.on_event
    call.on_event = lambda event: None if isinstance(event, OfferAnswered) else hear(event)
    story.a_phone_asks_for_an_offer(who=0, after=0.1)
    story.a_target_answers(formats="0", after=0.5)
    story.a_phone_decides_about_offers(who=1, obliging=False, accepts=False, after=0.0)
    call.ack(story.caller.description(formats="8"))
    call.on_event = hear
    story.pass_time(1.0)
    assert story.targets[0].offered, "the other codec"
    story.a_phone_decides_about_offers(who=1, obliging=True, accepts=False, after=5.0)
    assert story.edge.switch.live() and story.edge.deaf() == []


def test_who_is_on_hold_stays_there_when_a_transfer_fails(story: Interleavings) -> None:
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    story.a_phone_offers(who=1, direction="sendonly", formats=DEFAULT, soon=False, after=1.0)
    version = story.caller.version
    story.a_target_transfers(to=TARGETS[2], after=0.5)
    story.a_target_refuses(status=486, after=5.0)
    assert not flows(story) and story.caller.version == version, "nothing is new for it"


def test_what_another_fork_says_while_it_rings_is_not_where_who_answers_is(story: Interleavings) -> None:
    story.the_caller_dials(PLAIN, True, "", DEFAULT, "", 0.1)
    story.a_target_rings(status=183, media=True, formats=DEFAULT, after=0.5)
    phone = story.targets[0]
    (usage,) = phone.usages
    said = respond(usage.request, 183, None, "fork")
    said.headers.items.append(("Contact", f"<sip:fork@{phone.host}>"))
    said.headers.items.append(("Content-Type", "application/sdp"))
    said.body = sdp(phone.host, port=4998)
    phone.node.send(said.to_bytes(), usage.flow)
    story.pass_time(0.5)
    story.a_target_answers(formats=DEFAULT, after=5.0)
    assert [each.state for each in story.caller.usages] == ["up"]


def test_a_caller_that_takes_no_audio_for_now_is_no_reason_to_end_the_call(story: Interleavings) -> None:
    """It asks for an offer while it rings, and refuses the stream in its ACK."""
    story.the_caller_dials(GREETED, True, "", DEFAULT, "", 2.0)
    (call,) = story.caller.usages
    hear = call.on_event
    call.on_event = lambda event: None if isinstance(event, OfferAnswered) else hear(event)
    story.a_phone_asks_for_an_offer(who=0, after=0.1)
    call.ack(sdp(story.caller.host, formats="19", version=50, port=0))
    story.pass_time(0.5)
    story.a_target_answers(formats=DEFAULT, after=5.0)
    assert call.state == "up" and len(story.edge.switch.live()) == 1
    call.hang_up()


@pytest.mark.parametrize("who", ["caller", "target"])
@pytest.mark.parametrize("meanwhile", ["talk", "transfer"])
def test_who_answers_a_refresh_from_somewhere_else_is_sent_to_there(
    story: Interleavings, who: str, meanwhile: str
) -> None:
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    ((call, _),) = story.edge.switch._calls.values()
    if meanwhile == "transfer":
        story.a_target_transfers(to=TARGETS[2], after=0.5)
    for phone in story.phones:
        phone.moves = 1.0
    leg = call.reception.caller if who == "caller" else call.former[0] if call.former else call.target
    assert leg is not None and leg.invite is not None
    leg.invite.refresh_by_offer()
    story.pass_time(0.1)
    if meanwhile == "transfer":
        story.a_target_refuses(status=486, after=1.0)
    assert [each.state for each in story.caller.usages] == ["up"]


@pytest.mark.parametrize("who", ["party", "kept"])
@pytest.mark.parametrize("formats", [DEFAULT, "8 101"])
def test_who_answers_a_refresh_from_somewhere_else_while_it_is_wanted_for_another_call_is_sent_to_there(
    story: Interleavings, who: str, formats: str
) -> None:
    """The other call is transferred to its party, which refuses: both calls go on."""
    for _ in range(2):
        story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=1.0)
    phone = story.targets[0]
    joined, other = (usage for usage in phone.usages if usage.state == "up")
    (_, (call, _)) = story.edge.switch._calls.values()
    refreshed = call.reception.caller if who == "party" else call.target
    assert refreshed is not None and refreshed.invite is not None
    story.a_phone_decides_about_offers(who=0, obliging=False, accepts=False, after=0.0)
    if who == "party":
        refreshed.invite.refresh_by_offer()
        story.pass_time(0.1)
    to = f"<sip:edge@{EDGE}?Replaces={replaces(other).replace(';', '%3B')}>"
    Exchange(joined.core, joined.dialog, "REFER", (("Refer-To", to),))
    story.pass_time(0.1)
    usage = story.caller.usages[1] if who == "party" else other
    said = story.caller if who == "party" else phone
    host = said.host
    if who == "kept":
        phone.obliging = False
        refreshed.invite.refresh_by_offer()
        story.pass_time(0.1)
    ((offered, _),) = said.offered
    said.offered.clear()
    assert offered is usage
    said._believe(usage, said.asked.pop(usage))
    assert usage.accept_offer(sdp(host, formats=formats, version=50, port=4998))
    phone.obliging = True
    story.pass_time(0.1)
    assert story.caller.offered, "where it is wanted"
    story.a_phone_decides_about_offers(who=0, obliging=True, accepts=False, after=5.0)
    assert [each.state for each in story.caller.usages] == ["up", "up"]
    assert story.edge.deaf() == []


def takes_next(story: Interleavings, who: int, direction: str, formats: str = DEFAULT) -> None:
    """A phone answers the offer that it has in a direction of its own."""
    phone = story.phones[who]
    ((usage, _),) = phone.offered
    phone.offered.clear()
    phone._believe(usage, phone.asked.pop(usage))
    assert usage.accept_offer(phone.description(direction, formats))
    phone.obliging = True
    story.pass_time(1.0)


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_who_holds_in_its_answer_to_a_refresh_has_put_the_other_one_on_hold(
    story: Interleavings, who: int, direction: str
) -> None:
    story.a_call_comes_up(number=PLAIN, early=False, formats=DEFAULT, timer="", after=0.1)
    ((call, _),) = story.edge.switch._calls.values()
    caller, target = call.reception.caller, call.target
    assert caller is not None and target is not None
    leg, other = (caller, target) if who == 0 else (target, caller)
    assert leg.invite is not None
    story.phones[who].obliging = False
    leg.invite.refresh_by_offer()
    story.pass_time(0.1)
    takes_next(story, who, direction)
    (told,) = story.phones[1 - who].agreed.values()
    assert other.on_hold and (b"a=sendonly" in told or b"a=inactive" in told)
    assert caller.media.playing == ("prm_1" if leg is target else "")  # type: ignore[attr-defined]
    story.a_phone_offers(who=who, direction="sendrecv", formats=DEFAULT, soon=False, after=1.0)
    assert flows(story) and not caller.media.playing  # type: ignore[attr-defined]


def test_a_caller_that_holds_in_its_answer_to_the_targets_codec_has_put_the_target_on_hold(
    story: Interleavings,
) -> None:
    story.the_caller_dials(GREETED, True, "", DEFAULT, "", 2.0)
    story.caller.obliging = False
    story.a_target_answers(formats="8 101", after=0.5)
    takes_next(story, 0, "sendonly", "8 101")
    ((call, _),) = story.edge.switch._calls.values()
    assert call.target is not None and call.target.on_hold
    story.a_phone_offers(who=0, direction="sendrecv", formats="8 101", soon=False, after=1.0)
    assert flows(story)
