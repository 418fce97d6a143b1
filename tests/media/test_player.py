"""Prompts as a listener gets them: counted packets and their timestamps, on a clock the test sets."""

from collections.abc import Iterator

import pytest

from edge.media import control
from tests.support.media_worker import WorkerUnderTest, worker_under_test
from tests.support.ports import own_address
from tests.support.rtp_end import End, Rtp, packet, plan_for

Address = tuple[str, int]
PCMU = bytes(range(250)) * 4  # 1,000 octets: 6.25 frames
PCMA = bytes(reversed(PCMU))


@pytest.fixture
def worker() -> Iterator[WorkerUnderTest]:
    with worker_under_test(own_address()) as made:
        made.number = made.load({"PCMU": PCMU, "PCMA": PCMA})  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def caller() -> Iterator[End]:
    with End("127.0.0.1") as end:
        yield end


def play(worker: WorkerUnderTest, leg: Address, token: int = 1, *, loop: bool = False) -> None:
    worker.say(control.encode_play(leg[1], token, worker.number, loop=loop))  # type: ignore[attr-defined]


def heard(end: End) -> list[Rtp]:
    return [Rtp(raw) for raw in end.received()]


def done(worker: WorkerUnderTest) -> list[tuple[int, int]]:
    return [control.decode_done(body) for body in worker.heard(control.DONE)]


def test_a_prompt_is_heard_whole_and_its_end_is_told(worker: WorkerUnderTest, caller: End) -> None:
    leg = worker.leg(plan_for(caller.address))
    play(worker, leg, 7)
    worker.advance(0.1)
    assert done(worker) == []
    worker.advance(0.1)
    packets = heard(caller)
    assert b"".join(each.payload for each in packets) == PCMU + b"\xff" * 120
    assert [each.timestamp - packets[0].timestamp for each in packets] == [160 * n for n in range(7)]
    assert [each.sequence - packets[0].sequence for each in packets] == list(range(7))
    assert {each.ssrc for each in packets} == {packets[0].ssrc}
    assert [each.marker for each in packets] == [True] + [False] * 6
    assert done(worker) == [(leg[1], 7)]


def test_ringing_gives_way_as_soon_as_the_other_leg_is_heard(worker: WorkerUnderTest, caller: End) -> None:
    """A target may describe early media and send none."""
    with End("127.0.0.1") as target:
        leg, other = worker.leg(plan_for(caller.address)), worker.leg(plan_for(target.address))
        worker.bridge(leg, other)
        play(worker, leg, loop=True)
        worker.advance(0.1)
        target.send(packet(1, ssrc=77), other)
        worker.advance(0.1)
        assert heard(caller) and not [each for each in heard(caller) if each.ssrc == 77], (
            "a prompt is heard out"
        )
        worker.say(control.encode_port(control.GIVE_WAY, leg[1]))
        worker.advance(0.1)
        assert len(heard(caller)) >= 4, "nothing else is to be heard yet"
        for sequence in range(2, 5):
            target.send(packet(sequence, ssrc=77), other)
            worker.settle()
        assert [(each.ssrc, each.sequence) for each in heard(caller)] == [(77, 3), (77, 4)]
        worker.advance(0.1)
        assert heard(caller) == []


def test_the_codec_and_payload_type_are_the_plans(worker: WorkerUnderTest, caller: End) -> None:
    leg = worker.leg(plan_for(caller.address, play_codec="PCMA", play_payload=8))
    play(worker, leg)
    worker.advance(0.2)
    packets = heard(caller)
    assert b"".join(each.payload for each in packets) == PCMA + b"\xd5" * 120
    assert {each.payload_type for each in packets} == {8}


def test_thirty_milliseconds_a_packet_where_the_peer_asks_for_it(
    worker: WorkerUnderTest, caller: End
) -> None:
    leg = worker.leg(plan_for(caller.address, ptime_ms=30))
    play(worker, leg)
    worker.advance(0.2)
    packets = heard(caller)
    assert {len(each.payload) for each in packets} == {240}
    assert [each.timestamp - packets[0].timestamp for each in packets] == [240 * n for n in range(5)]


def test_a_looped_prompt_goes_on_until_it_is_stopped(worker: WorkerUnderTest, caller: End) -> None:
    leg = worker.leg(plan_for(caller.address))
    play(worker, leg, loop=True)
    worker.advance(1.0)
    assert len(heard(caller)) == 50
    worker.say(control.encode_port(control.STOP, leg[1]))
    worker.advance(1.0)
    assert heard(caller) == []
    assert done(worker) == []


def test_another_prompt_replaces_the_first_in_the_same_stream(worker: WorkerUnderTest, caller: End) -> None:
    leg = worker.leg(plan_for(caller.address))
    play(worker, leg, 1)
    worker.advance(0.05)
    play(worker, leg, 2)
    worker.advance(0.3)
    packets = heard(caller)
    assert {each.ssrc for each in packets} == {packets[0].ssrc}
    assert [each.sequence - packets[0].sequence for each in packets] == list(range(len(packets)))
    assert done(worker) == [(leg[1], 2)]


def test_the_timestamp_goes_on_with_the_time_between_two_prompts(
    worker: WorkerUnderTest, caller: End
) -> None:
    leg = worker.leg(plan_for(caller.address))
    play(worker, leg, 1)
    worker.advance(0.2)
    first = heard(caller)
    worker.advance(0.8)
    play(worker, leg, 2)
    worker.advance(0.2)
    second = heard(caller)
    assert second[0].marker
    assert second[0].timestamp - first[0].timestamp == pytest.approx(8000, abs=160)


def test_time_passes_for_a_peer_on_hold_and_the_rest_is_heard_after_it(
    worker: WorkerUnderTest, caller: End
) -> None:
    leg = worker.leg(plan_for(caller.address))
    play(worker, leg, 1)
    worker.advance(0.041)
    before = heard(caller)
    worker.update(leg[1], plan_for(None, send=False, silence_ok=True))
    worker.advance(0.06)
    assert heard(caller) == []
    worker.update(leg[1], plan_for(caller.address))
    worker.advance(0.1)
    after = heard(caller)
    assert len(before) + len(after) == 7 - 3
    assert after[0].marker
    assert after[0].timestamp - before[-1].timestamp == 160 * 4


def test_a_bridged_leg_hears_the_prompt_instead_of_the_other_leg_and_then_the_other_leg_again(
    worker: WorkerUnderTest, caller: End
) -> None:
    with End("127.0.0.1") as target:
        a, b = worker.leg(plan_for(caller.address)), worker.leg(plan_for(target.address))
        worker.bridge(a, b)
        play(worker, a)
        worker.advance(0.05)
        target.send(packet(0, ssrc=5), b)
        worker.settle()
        assert 5 not in {each.ssrc for each in heard(caller)}
        worker.advance(0.2)
        heard(caller)
        target.send(packet(1, ssrc=5), b)
        target.send(packet(2, ssrc=5), b)
        worker.settle()
        assert [(each.ssrc, each.sequence, each.marker) for each in heard(caller)] == [
            (5, 1, True),
            (5, 2, False),
        ]


def test_an_unknown_prompt_is_done_at_once(worker: WorkerUnderTest, caller: End) -> None:
    leg = worker.leg(plan_for(caller.address))
    worker.say(control.encode_play(leg[1], 3, 999, loop=False))
    assert done(worker) == [(leg[1], 3)]


def test_an_unloaded_prompt_is_heard_out_by_who_hears_it(worker: WorkerUnderTest, caller: End) -> None:
    leg = worker.leg(plan_for(caller.address))
    play(worker, leg, 1)
    worker.say(control.encode_unload(worker.number))  # type: ignore[attr-defined]
    worker.advance(0.2)
    assert len(heard(caller)) == 7


def test_many_prompts_at_once_keep_their_pace(worker: WorkerUnderTest, caller: End) -> None:
    legs = [worker.leg(plan_for(caller.address)) for _ in range(20)]
    for leg in legs:
        play(worker, leg, loop=True)
    worker.advance(0.2)
    by_source: dict[int, list[int]] = {}
    for each in heard(caller):
        by_source.setdefault(each.ssrc, []).append(each.timestamp)
    assert [len(stamps) for stamps in by_source.values()] == [10] * 20
