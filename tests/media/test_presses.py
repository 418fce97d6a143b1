"""Keys that we press: the events of RFC 4733 as the other end counts them."""

from collections.abc import Iterator

import pytest

from edge.media import control
from edge.media.dtmf import DtmfReceiver
from edge.media.presses import encode_press, steps
from tests.support.media_worker import WorkerUnderTest, worker_under_test
from tests.support.ports import own_address
from tests.support.rtp_end import End, Rtp, plan_for


@pytest.fixture
def worker() -> Iterator[WorkerUnderTest]:
    with worker_under_test(own_address()) as made:
        yield made


def test_a_peer_gets_each_key_once_in_order_with_the_pause_between(worker: WorkerUnderTest) -> None:
    with End("127.0.0.1") as peer:
        leg = worker.leg(plan_for(peer.address))
        worker.say(encode_press(leg[1], 9, 101, "1w#", 8000))
        worker.advance(2)
        packets = [Rtp(raw) for raw in peer.received()]
    assert {packet.payload_type for packet in packets} == {101}
    receiver, heard = DtmfReceiver(), []
    for packet in packets:
        heard += receiver.receive(packet.timestamp, packet.payload, 0.0)
    assert [(key.digit, key.duration_ms) for key in heard] == [("1", 160), ("#", 160)]
    first, second = (packet.timestamp for packet in packets if packet.marker)
    assert (second - first) / 8 == 8 * 20 + 2 * 20 + 100 + 500
    assert [p.sequence - packets[0].sequence for p in packets] == list(range(22))
    assert [control.decode_done(body) for body in worker.heard(control.DONE)] == [(leg[1], 9)]


def test_a_key_is_as_long_in_the_clock_of_the_events(worker: WorkerUnderTest) -> None:
    """With opus that is 48 kHz (RFC 4733 section 2.1): counted at 8 kHz, 160 ms would be 27, and no key."""
    with End("127.0.0.1") as peer:
        leg = worker.leg(plan_for(peer.address))
        worker.say(encode_press(leg[1], 9, 98, "12", 48_000))
        worker.advance(2)
        packets = [Rtp(raw) for raw in peer.received()]
    receiver, heard = DtmfReceiver(48_000), []
    for packet in packets:
        heard += receiver.receive(packet.timestamp, packet.payload, 0.0)
    assert [(key.digit, key.duration_ms) for key in heard] == [("1", 160), ("2", 160)]
    first, second = (packet.timestamp for packet in packets if packet.marker)
    assert (second - first) / 48 == 8 * 20 + 2 * 20 + 100


def test_a_stop_ends_it(worker: WorkerUnderTest) -> None:
    with End("127.0.0.1") as peer:
        leg = worker.leg(plan_for(peer.address))
        worker.say(encode_press(leg[1], 1, 101, "123", 8000))
        worker.advance(0.1)
        worker.say(control.encode_port(control.STOP, leg[1]))
        worker.advance(1)
        assert len(peer.received()) < 8


def test_how_long_it_takes() -> None:
    assert sum(step.wait_ms for step in steps("1", 8)) == 300
    assert sum(step.wait_ms for step in steps("w", 8)) == 500
