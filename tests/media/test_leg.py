"""The relay on real sockets, in a worker whose clock the test sets: what each peer gets to hear."""

import gc
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media import control, outlet
from edge.media.engine import Plan
from edge.media.leg import Leg
from edge.media.outlet import Outlet
from edge.media.ports import PortPair
from tests.support.media_worker import WorkerUnderTest, worker_under_test
from tests.support.ports import link_local, own_address
from tests.support.rtp_end import AUDIO, End, Rtp, event, packet, plan_for

Address = tuple[str, int]
REPORT = struct.pack("!BBHI", 0x80, 201, 1, 7)
BYE = struct.pack("!BBHI", 0x81, 203, 1, 7)


@pytest.fixture
def worker() -> Iterator[WorkerUnderTest]:
    with worker_under_test(own_address()) as made:
        yield made


@pytest.fixture
def caller() -> Iterator[End]:
    with End("127.0.0.1") as end:
        yield end


@pytest.fixture
def target() -> Iterator[End]:
    with End("127.0.0.1") as end:
        yield end


@pytest.fixture
def stranger() -> Iterator[End]:
    with End("127.0.0.9") as end:
        yield end


def bridged(worker: WorkerUnderTest, caller: Plan, target: Plan) -> tuple[Address, Address]:
    a, b = worker.leg(caller), worker.leg(target)
    worker.bridge(a, b)
    return a, b


def talk(worker: WorkerUnderTest, end: End, leg: Address, sequences: range, **changes: object) -> None:
    for sequence in sequences:
        end.send(packet(sequence, **changes), leg)  # type: ignore[arg-type]
        worker.settle()


def sequences(end: End) -> list[int]:
    return [Rtp(raw).sequence for raw in end.received()]


def test_audio_passes_both_ways_octet_by_octet(worker: WorkerUnderTest, caller: End, target: End) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    sent = [packet(n, ssrc=77) for n in range(5)]
    for raw in sent:
        caller.send(raw, a)
        worker.settle()
    talk(worker, target, b, range(900, 903), ssrc=88)
    heard = target.received()
    assert [raw[2:] for raw in heard] == [raw[2:] for raw in sent]
    assert [Rtp(raw).marker for raw in heard] == [True, False, False, False, False]
    assert [(Rtp(raw).ssrc, Rtp(raw).sequence) for raw in caller.received()] == [
        (88, 900 + n) for n in range(3)
    ]


def test_payload_types_are_mapped_and_others_dropped(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, _ = bridged(
        worker, plan_for(caller.address, payloads={8: 0, 96: 101}, event_payload=96), plan_for(target.address)
    )
    for number, kind in enumerate((8, 13, 96, 9, 34)):
        talk(worker, caller, a, range(number, number + 1), payload_type=kind)
    assert [Rtp(raw).payload_type for raw in target.received()] == [0, 13, 101]
    assert worker.counters(a).unknown_payload == 2


def test_the_peer_is_sent_to_where_its_packets_come_from(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    behind_nat = ("10.255.255.1", 9)
    a, b = bridged(worker, plan_for(behind_nat), plan_for(target.address))
    talk(worker, caller, a, range(3))
    talk(worker, target, b, range(50, 53))
    assert sequences(target) == [1, 2]
    assert sequences(caller) == [50, 51, 52]


def test_a_peer_behind_nat_that_talks_in_another_codec_hears_the_prompt(
    worker: WorkerUnderTest, caller: End
) -> None:
    leg = worker.leg(plan_for(("10.255.255.1", 9), payloads={}))
    talk(worker, caller, leg, range(3), payload_type=8)
    number = worker.load({"PCMU": AUDIO, "PCMA": AUDIO})
    worker.say(control.encode_play(leg[1], 1, number, loop=False))
    worker.advance(0.1)
    assert [Rtp(raw).payload for raw in caller.received()] == [AUDIO]


def test_a_spray_is_counted_and_neither_heard_nor_sent_to(
    worker: WorkerUnderTest, caller: End, target: End, stranger: End
) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, stranger, a, range(0, 40, 2))
    talk(worker, target, b, range(50, 53))
    talk(worker, caller, a, range(3))
    talk(worker, stranger, a, range(100, 120))
    talk(worker, target, b, range(53, 56))
    assert sequences(target) == [0, 1, 2]
    assert sequences(caller) == list(range(50, 56))
    assert stranger.received() == []
    assert worker.counters(a).strays == 40


def connected_sockets(host: str) -> int:
    """How many UDP sockets on an address have a peer."""
    local = f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:"
    lines = Path("/proc/self/net/udp").read_text().splitlines()[1:]
    ends = [line.split()[1:3] for line in lines]
    return sum(ours.startswith(local) and not peer.endswith(":0000") for ours, peer in ends)


def test_peers_for_which_no_file_is_left_are_heard_as_well(
    monkeypatch: pytest.MonkeyPatch, caller: End, target: End, stranger: End
) -> None:
    """Two peers take those that the ports leave, and give them back."""
    monkeypatch.setattr("edge.media.worker.most", lambda: 64 + 2 * 50 + 2)
    host = own_address()
    with worker_under_test(host) as worker:
        for _ in range(2):
            calls = [bridged(worker, plan_for(caller.address), plan_for(target.address)) for _ in range(2)]
            for a, b in calls:
                talk(worker, caller, a, range(3))
                talk(worker, stranger, a, range(50, 53))
                talk(worker, target, b, range(100, 103))
                assert (sequences(target), sequences(caller)) == ([0, 1, 2], [100, 101, 102])
                assert worker.counters(a).strays == 3
            assert connected_sockets(host) == 2
            for leg in (*calls[0], *calls[1]):
                worker.close(leg)
            assert connected_sockets(host) == 0


def test_what_fell_into_the_peers_socket_before_it_was_connected_is_checked(
    worker: WorkerUnderTest, caller: End, target: End, stranger: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))

    def raced(pair: PortPair, peer: Address) -> socket.socket:
        """Strangers' packets come between the bind and the connect."""
        made = socket.socket(type=socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(pair.rtp.getsockname())
        for n in range(64):
            with End("127.0.0.9") as other:
                other.send(packet(500 + n, ssrc=9), a)
        made.connect(peer)
        return made

    monkeypatch.setattr(outlet, "connected_beside", raced)
    talk(worker, caller, a, range(3))
    for _ in range(8):
        worker.settle()
    assert sequences(target) == [0, 1, 2]
    assert worker.counters(a).strays == 64


def test_a_locked_peer_that_moved_is_followed_after_silence(
    worker: WorkerUnderTest, caller: End, target: End, stranger: End
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(3))
    worker.advance(1.5)
    talk(worker, stranger, a, range(3, 6))
    assert sequences(target) == [0, 1, 2]
    worker.advance(4.0)
    talk(worker, stranger, a, range(6, 9), ssrc=999)
    assert sequences(target) == []
    talk(worker, stranger, a, range(9, 12))
    assert sequences(target) == [10, 11]


def test_new_signalling_moves_the_peer_at_once(
    worker: WorkerUnderTest, caller: End, target: End, stranger: End
) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(3))
    worker.update(a[1], plan_for(stranger.address))
    talk(worker, target, b, range(50, 52))
    talk(worker, stranger, a, range(10, 12), ssrc=5)
    talk(worker, caller, a, range(3, 6))
    assert sequences(stranger) == [50, 51]
    assert caller.received() == []
    assert sequences(target) == [0, 1, 2, 10, 11]


def test_hold_mutes_as_the_plan_says_and_resume_goes_on(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(2))
    worker.update(a[1], plan_for(None, send=False, receive=False, silence_ok=True))
    talk(worker, caller, a, range(2, 4))
    talk(worker, target, b, range(50, 52))
    assert (sequences(target), sequences(caller)) == ([0, 1], [])
    worker.update(a[1], plan_for(caller.address))
    talk(worker, caller, a, range(4, 6))
    talk(worker, target, b, range(52, 54))
    assert (sequences(target), sequences(caller)) == ([4, 5], [52, 53])


def test_a_key_press_is_told_once_and_passed_with_the_other_legs_payload_type(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, _ = bridged(
        worker, plan_for(caller.address, payloads={0: 0, 96: 101}, event_payload=96), plan_for(target.address)
    )
    for n, payload in enumerate([event(5, 160), event(5, 320), *[event(5, 800, end=True)] * 3]):
        talk(worker, caller, a, range(n, n + 1), payload_type=96, timestamp=4000, payload=payload)
    assert [control.decode_digit(body) for body in worker.heard(control.DIGIT)] == [(a[1], "5", 100)]
    assert [Rtp(raw).payload_type for raw in target.received()] == [101] * 5


def test_keys_are_heard_after_the_peers_audio_began_anew_with_another_source(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))
    key = {"payload_type": 101, "payload": event(1, 800, end=True)}
    talk(worker, caller, a, range(1), timestamp=900_000, ssrc=1, **key)
    talk(worker, caller, a, range(1), timestamp=5000, ssrc=2, **key)
    assert len(worker.heard(control.DIGIT)) == 2


def test_a_key_press_whose_end_is_lost_is_told_by_time(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(1), payload_type=101, payload=event(11, 480))
    worker.advance(0.2)
    assert worker.heard(control.DIGIT) == []
    worker.advance(0.3)
    worker.advance(1.0)
    assert [control.decode_digit(body) for body in worker.heard(control.DIGIT)] == [(a[1], "#", 60)]


def test_more_than_twice_the_codecs_rate_is_dropped(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))
    passed = 0
    for second in range(4):
        for n in range(300):
            caller.send(packet(300 * second + n), a)
            worker.worker.round(0)
        worker.settle()
        worker.advance(1.0)
        passed += len(target.received())
    assert 4 * 100 <= passed <= 4 * 100 + 200
    assert worker.counters(a).over_rate == 4 * 300 - passed


@pytest.mark.parametrize(("ptime", "rate"), [(60, 50), (20, 100), (10, 200)])
def test_a_peer_may_send_in_another_packet_time_than_it_wants(
    worker: WorkerUnderTest, caller: End, target: End, ptime: int, rate: int
) -> None:
    a, _ = bridged(worker, plan_for(caller.address, ptime_ms=ptime), plan_for(target.address))
    for second in range(4):
        for n in range(rate):
            talk(worker, caller, a, range(rate * second + n, rate * second + n + 1))
            target.received()
        worker.advance(1.0)
    assert worker.counters(a).over_rate == 0


@pytest.mark.parametrize("junk", [b"", b"\x80", bytes(12), b"\x80\x00" + bytes(9), b"\x80" + bytes(2047)])
def test_what_is_not_rtp_is_dropped_before_and_after_the_latch(
    worker: WorkerUnderTest, caller: End, target: End, junk: bytes
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(1))
    caller.send(junk, a)
    target.send(junk, a)
    worker.settle()
    talk(worker, caller, a, range(1, 2))
    assert sequences(target) == [0, 1]


def test_counters_tell_octets_loss_and_both_directions(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(4))
    talk(worker, caller, a, range(6, 8))
    talk(worker, target, b, range(2))
    counted = worker.close(a)
    size = 12 + len(AUDIO)
    assert (counted.packets_in, counted.octets_in, counted.lost) == (6, 6 * size, 2)
    assert (counted.packets_out, counted.octets_out) == (2, 2 * size)


def test_a_silent_bridged_peer_is_told_of_and_a_held_one_is_not(caller: End, target: End) -> None:
    with worker_under_test(own_address(), media_timeout_s=5) as worker:
        a, b = bridged(worker, plan_for(caller.address), plan_for(target.address, silence_ok=True))
        talk(worker, caller, a, range(3))
        worker.advance(4.0)
        assert worker.heard(control.SILENT) == []
        worker.advance(3.0)
        assert [control.decode_port(body) for body in worker.heard(control.SILENT)] == [a[1]]
        assert b[1] != a[1]


def test_a_peer_that_keeps_its_way_open_by_packets_of_no_payload_of_ours_is_there(
    caller: End, target: End
) -> None:
    """RFC 6263 section 4.6: a muted phone does so, and it is not to be hung up on."""
    with worker_under_test(own_address(), media_timeout_s=5) as worker:
        a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address, silence_ok=True))
        talk(worker, caller, a, range(3))
        for place in range(3, 6):
            worker.advance(3.0)
            talk(worker, caller, a, range(place, place + 1), payload_type=20, payload=b"")
            assert worker.heard(control.SILENT) == []
        worker.advance(6.0)
        assert [control.decode_port(body) for body in worker.heard(control.SILENT)] == [a[1]]


@given(
    st.lists(
        st.tuples(st.sampled_from(["rtp", "rtcp"]), st.integers(0, 2), st.binary(max_size=80)), max_size=30
    ),
    st.booleans(),
)
@settings(max_examples=60)
def test_no_datagram_makes_the_worker_fail(datagrams: list[tuple[str, int, bytes]], mux: bool) -> None:
    """The worker under test raises what a real one would report as a fault."""
    with (
        worker_under_test(own_address()) as worker,
        End("127.0.0.1") as caller,
        End("127.0.0.1", 0) as target,
        End("127.0.0.9") as stranger,
    ):
        plan = plan_for(caller.address, rtcp_mux=mux, remote_rtcp=("127.0.0.1", 65535))
        a, b = bridged(worker, plan, plan_for(target.address, rtcp_mux=mux))
        talk(worker, caller, a, range(1))
        for kind, sender, data in datagrams:
            raw = bytes([0x80 | data[0] & 0x3F, *data[1:]]) if data else data
            (caller, target, stranger)[sender].send(raw, (a[0], a[1] + (kind == "rtcp")))
            (target, caller, stranger)[sender].send(raw, (b[0], b[1] + (kind == "rtcp")))
            worker.settle()
        target.received()
        talk(worker, caller, a, range(1, 3))
        assert sequences(target) == [1, 2]


def test_a_peer_on_the_last_port_has_no_rtcp_port(worker: WorkerUnderTest, caller: End) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(("127.0.0.1", 65535)))
    caller.send(REPORT, (a[0], a[1] + 1))
    with End("127.0.0.1", 0) as reports:
        worker.update(a[1], plan_for(caller.address, remote_rtcp=reports.address))
        reports.send(REPORT, (a[0], a[1] + 1))
        worker.settle()
    assert worker.counters(b).rtcp_out == 0


def test_the_time_to_talk_starts_with_the_bridge(caller: End, target: End) -> None:
    with worker_under_test(own_address(), media_timeout_s=5) as worker:
        a, b = worker.leg(plan_for(caller.address)), worker.leg(plan_for(target.address))
        worker.advance(20.0)
        worker.bridge(a, b)
        worker.advance(4.0)
        assert worker.heard(control.SILENT) == []
        worker.advance(3.0)
        assert len(worker.heard(control.SILENT)) == 2


def test_key_presses_faster_than_anybody_presses_are_not_all_told(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, _ = bridged(worker, plan_for(caller.address), plan_for(target.address))
    for n in range(90):
        payload = event(1, 80, end=True)
        talk(worker, caller, a, range(n, n + 1), payload_type=101, timestamp=1000 * n + 1, payload=payload)
    assert len(worker.heard(control.DIGIT)) == 20
    worker.advance(2.0)
    talk(worker, caller, a, range(90, 91), payload_type=101, timestamp=99_000, payload=event(2, 80, end=True))
    assert len(worker.heard(control.DIGIT)) == 1


class TestRtcp:
    """RTCP between ports next to the RTP ports."""

    @pytest.fixture
    def reports(self, caller: End) -> Iterator[End]:
        with End("127.0.0.1") as end:
            yield end

    def test_reports_pass_both_ways_without_a_bye(
        self, worker: WorkerUnderTest, caller: End, target: End, reports: End
    ) -> None:
        with End("127.0.0.1") as far:
            a, b = bridged(
                worker,
                plan_for(caller.address, remote_rtcp=reports.address),
                plan_for(target.address, remote_rtcp=far.address),
            )
            reports.send(REPORT + BYE, (a[0], a[1] + 1))
            far.send(REPORT, (b[0], b[1] + 1))
            worker.settle()
            assert (far.received(), reports.received()) == ([REPORT], [REPORT])
            assert (worker.counters(a).rtcp_in, worker.counters(a).rtcp_out) == (1, 1)

    def test_a_flood_of_reports_is_cut_and_later_ones_pass(
        self, worker: WorkerUnderTest, caller: End, target: End, reports: End
    ) -> None:
        with End("127.0.0.1") as far:
            a, _ = bridged(
                worker,
                plan_for(caller.address, remote_rtcp=reports.address),
                plan_for(target.address, remote_rtcp=far.address),
            )
            for _ in range(100):
                reports.send(REPORT, (a[0], a[1] + 1))
                worker.settle()
            assert len(far.received()) == 40
            worker.advance(2.0)
            reports.send(REPORT, (a[0], a[1] + 1))
            worker.settle()
            assert len(far.received()) == 1

    def test_a_strangers_report_is_dropped(
        self, worker: WorkerUnderTest, caller: End, target: End, reports: End, stranger: End
    ) -> None:
        with End("127.0.0.1") as far:
            a, _ = bridged(
                worker,
                plan_for(caller.address, remote_rtcp=reports.address),
                plan_for(target.address, remote_rtcp=far.address),
            )
            stranger.send(REPORT, (a[0], a[1] + 1))
            worker.settle()
            assert far.received() == []
            assert worker.counters(a).strays == 1

    def test_multiplexed_reports_pass_on_the_rtp_port(
        self, worker: WorkerUnderTest, caller: End, target: End
    ) -> None:
        a, _ = bridged(
            worker, plan_for(caller.address, rtcp_mux=True), plan_for(target.address, rtcp_mux=True)
        )
        talk(worker, caller, a, range(1))
        caller.send(REPORT, a)
        worker.settle()
        assert [raw[1] & 0x7F for raw in target.received()] == [0, 201 & 0x7F]

    def test_reports_alone_keep_a_peer_alive(self, caller: End, target: End, reports: End) -> None:
        with worker_under_test(own_address(), media_timeout_s=5) as worker:
            a, _ = bridged(
                worker,
                plan_for(caller.address, remote_rtcp=reports.address),
                plan_for(target.address, silence_ok=True),
            )
            for _ in range(4):
                reports.send(REPORT, (a[0], a[1] + 1))
                worker.settle()
                worker.advance(3.0)
            assert worker.heard(control.SILENT) == []


def test_who_still_sends_to_a_leg_that_ended_is_not_heard_by_the_calls_next_on_its_port(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    """The next target is behind NAT: its description names an address at which nobody is."""
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, target, b, range(3))
    caller.received()
    worker.say(control.encode_port(control.CLEAR, b[1]))
    talk(worker, target, b, range(3, 10))
    worker.update(b[1], plan_for(("10.1.2.3", 4000)))
    worker.bridge(a, b)
    talk(worker, target, b, range(10, 20))
    assert caller.received() == []
    with End("127.0.0.7") as another:
        talk(worker, another, b, range(100, 105), ssrc=77)
        assert [Rtp(raw).ssrc for raw in caller.received()] == [77] * 4
    worker.advance(1.1)
    assert worker.heard(control.COUNTERS) == []
    tally = control.decode_tally(worker.heard(control.TALLY)[-1])
    assert (tally.legs, tally.packets_in) == (2, 3)


def test_a_closed_legs_port_is_deaf_and_leaves_nothing_behind(
    worker: WorkerUnderTest, caller: End, target: End
) -> None:
    a, b = bridged(worker, plan_for(caller.address), plan_for(target.address))
    talk(worker, caller, a, range(3))
    gc.collect()
    gc.disable()  # as in a real worker
    try:
        worker.close(a)
        worker.close(b)
        assert [each for each in gc.get_objects() if isinstance(each, Leg | Outlet)] == []
    finally:
        gc.enable()
    target.received()
    talk(worker, caller, a, range(3, 6))
    assert target.received() == []


def test_audio_and_reports_pass_between_ipv4_and_ipv6() -> None:
    with (
        worker_under_test(own_address(), "::1") as worker,
        End("127.0.0.1") as four,
        End("::1") as six,
        End("127.0.0.1") as reports_of_four,
        End("::1") as reports_of_six,
    ):
        a = worker.leg(plan_for(four.address, remote_rtcp=reports_of_four.address))
        b = worker.leg(plan_for(six.address, remote_rtcp=reports_of_six.address))
        worker.bridge(a, b)
        for n in range(3):  # the second and third by the sockets that the first connected
            talk(worker, four, a, range(100 + n, 101 + n))
            talk(worker, six, b, range(200 + n, 201 + n))
        assert sequences(six) == [100, 101, 102]
        assert sequences(four) == [200, 201, 202]
        reports_of_four.send(REPORT, (a[0], a[1] + 1))
        reports_of_six.send(REPORT * 2, (b[0], b[1] + 1))
        worker.settle()
        assert reports_of_six.received() == [REPORT]
        assert reports_of_four.received() == [REPORT * 2]


def test_an_ipv6_peer_is_told_from_strangers() -> None:
    """It sends from another port than it said (NAT); another one of its host comes too late."""
    with worker_under_test(own_address(), "::1") as worker, End("::1") as peer, End("::1") as stranger:
        leg = worker.leg(plan_for(("::1", 9)))
        other = worker.leg(plan_for(("10.255.255.1", 9)))
        worker.bridge(leg, other)
        talk(worker, peer, leg, range(3))
        talk(worker, stranger, leg, range(70, 75), ssrc=99)
        counters = worker.counters(leg)
        assert (counters.packets_in, counters.strays) == (2, 1 + 5)


def test_a_peer_of_the_same_wire_is_sent_to_from_where_it_was_heard() -> None:
    """Its link-local address says nothing of the interface, which nobody knows before."""
    found = link_local()
    if found is None:
        pytest.skip("no interface has a link-local address")
    host, interface = found
    with (
        worker_under_test(own_address(), "::") as worker,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as near,
        End("127.0.0.1") as target,
    ):
        near.bind((host, 0, 0, interface))
        near.setblocking(False)
        port = near.getsockname()[1]
        (_, ours), b = bridged(worker, plan_for((host, port)), plan_for(target.address))
        for n in range(3):
            near.sendto(packet(n), (host, ours, 0, interface))
            worker.settle()
        assert sequences(target) == [0, 1, 2]
        talk(worker, target, b, range(50, 53))
        assert [Rtp(near.recv(2048)).sequence for _ in range(3)] == [50, 51, 52]
        peer = worker.worker._legs[ours].out._peer
        assert peer is not None and peer.getpeername()[3] == interface


def test_a_peer_may_move_from_ipv4_to_ipv6() -> None:
    with (
        worker_under_test(own_address(), "::1") as worker,
        End("127.0.0.1") as peer,
        End("::1") as moved,
        End("127.0.0.1") as target,
    ):
        a, b = bridged(worker, plan_for(peer.address), plan_for(target.address))
        talk(worker, peer, a, range(3))
        worker.update(a[1], plan_for(moved.address))
        talk(worker, peer, a, range(3, 6))
        talk(worker, moved, ("::1", a[1]), range(6, 9))
        talk(worker, target, b, range(50, 53))
        assert sequences(target) == [0, 1, 2, 6, 7, 8]
        assert (sequences(peer), sequences(moved)) == ([], [50, 51, 52])
        worker.update(a[1], plan_for(None))  # put on hold: it comes back from there
        talk(worker, moved, ("::1", a[1]), range(9, 10))
        assert sequences(target) == [9]
