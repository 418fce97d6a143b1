"""What a worker answers to what it is told, sensible or not."""

from collections.abc import Iterator

import pytest

from edge.media import control
from edge.media.leg import Leg
from tests.support.media_worker import WorkerUnderTest, worker_under_test
from tests.support.ports import own_address
from tests.support.rtp_end import End, Rtp, packet, plan_for


@pytest.fixture
def worker() -> Iterator[WorkerUnderTest]:
    with worker_under_test(own_address()) as made:
        yield made


def test_a_frame_that_can_not_be_done_is_told_and_the_rest_of_its_message_is_done(
    worker: WorkerUnderTest,
) -> None:
    (port,) = worker.ports(1)
    worker.say(
        control.frame(200, b""),
        control.frame(control.UPDATE, b"\x00"),
        control.frame(control.LOAD, bytes(12)),
        control.encode_port(control.CLOSE, port),
    )
    assert len(worker.heard(control.FAULT)) == 3
    assert [control.decode_counters(body)[0] for body in worker.heard(control.COUNTERS)] == [port]


def test_a_leg_that_can_not_be_swept_ends_neither_the_beat_nor_the_sweep_of_others(
    worker: WorkerUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its beat a worker counts as hung, and all its calls are lost."""
    swept: list[float] = []

    def sweep(leg: Leg, now: float) -> None:
        swept.append(now)
        if len(swept) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(Leg, "sweep", sweep)
    worker.leg(plan_for(None)), worker.leg(plan_for(None))
    worker.heard(control.TALLY)
    worker.advance(2.1)
    assert len(worker.heard(control.TALLY)) >= 2
    assert len(worker.heard(control.FAULT)) == 1 and len(swept) >= 4


def test_a_port_whose_packet_could_not_be_read_serves_its_next_call(
    worker: WorkerUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails is not asked again in that call; if it stayed deaf, nobody would be heard on it again."""
    with End("127.0.0.1") as peer:
        leg = worker.leg(plan_for(peer.address))
        with monkeypatch.context() as patch:
            patch.setattr(Leg, "_may_latch", lambda *_: 1 // 0)
            peer.send(packet(1), leg)
            worker.reactor.on_fault = worker.worker.fault
            worker.settle()
        worker.close(leg)
        worker.advance(5.5)
        worker.update(leg[1], plan_for(peer.address))
        peer.send(packet(2), leg)
        worker.settle()
        assert worker.counters(leg).packets_in == 1


def test_a_port_that_is_not_ours_gets_no_leg(worker: WorkerUnderTest) -> None:
    worker.update(9, plan_for(None))
    worker.say(control.encode_bridge(9, 11), control.encode_port(control.CLOSE, 9))
    worker.say(control.encode_port(control.STOP, 9), control.encode_port(control.UNBRIDGE, 9))
    assert worker.heard(control.FAULT) == []


def test_the_tally_counts_closed_legs_and_open_ones(worker: WorkerUnderTest) -> None:
    with End("127.0.0.1") as caller, End("127.0.0.9") as stranger:
        leg, _ = worker.leg(plan_for(caller.address)), worker.leg(plan_for(None))
        caller.send(packet(0), leg)
        worker.settle()
        stranger.send(packet(7, ssrc=9), leg)
        worker.settle()
        worker.close(leg)
        worker.advance(1.1)
        tally = control.decode_tally(worker.heard(control.TALLY)[-1])
    assert (tally.legs, tally.packets_in, tally.strays) == (1, 1, 1)
    assert tally.ports_bound >= 2


def test_bridging_again_with_another_leg_leaves_the_first(worker: WorkerUnderTest) -> None:
    with End("127.0.0.1") as caller, End("127.0.0.1") as first, End("127.0.0.1") as second:
        a, b, c = (worker.leg(plan_for(end.address)) for end in (caller, first, second))
        worker.bridge(a, b)
        worker.bridge(a, c)
        worker.bridge(a, c)
        caller.send(packet(1), a)
        first.send(packet(5), b)
        worker.settle()
        assert [Rtp(raw).sequence for raw in second.received()] == [1]
        assert first.received() == caller.received() == []


def test_unbridged_legs_hear_each_other_no_more(worker: WorkerUnderTest) -> None:
    with End("127.0.0.1") as caller, End("127.0.0.1") as target:
        a, b = worker.leg(plan_for(caller.address)), worker.leg(plan_for(target.address))
        worker.bridge(a, b)
        worker.say(control.encode_port(control.UNBRIDGE, b[1]))
        caller.send(packet(1), a)
        worker.settle()
        assert target.received() == []


def test_the_worker_ends_with_its_control_socket() -> None:
    with worker_under_test(own_address()) as worker:
        worker._ours.close()
        worker.worker.round(1)
        assert not worker.worker.open
