"""The guard against RTP Bleed: who may become a leg's peer, and when."""

from edge.media.latch import LEARN_S, Latch, Verdict

SDP = ("192.0.2.1", 4000)
NAT = ("198.51.100.7", 31000)
STRANGER = ("203.0.113.66", 5555)


def latch(**state: object) -> Latch:
    made = Latch(relatch_silence_s=3.0, **state)  # type: ignore[arg-type]
    made.signal(SDP)
    return made


def latched(source: tuple[str, int]) -> Latch:
    """Latched to ``source`` at time 0 with SSRC 7."""
    made = latch()
    for sequence in (10, 11):
        made.judge(source, 7, sequence, 0.0, 0.0)
    assert made.source == source
    return made


def test_the_signalled_address_latches_with_its_first_packet() -> None:
    made = latch()
    assert made.judge(SDP, 7, 10, 0.0, 0.0) is Verdict.LATCH
    assert made.judge(SDP, 7, 11, 0.0, 0.0) is Verdict.PASS


def test_another_address_needs_two_packets_in_sequence() -> None:
    made = latch()
    assert made.judge(NAT, 7, 65535, 0.0, 0.0) is Verdict.STRAY
    assert made.judge(NAT, 7, 0, 0.02, 0.0) is Verdict.LATCH
    assert made.source == NAT


def test_where_the_sdp_names_a_public_address_a_foreign_stream_must_wait_for_the_peer() -> None:
    made = Latch(relatch_silence_s=3.0)
    made.signal(("8.8.8.8", 4000))
    assert {made.judge(STRANGER, 7, n, n / 50, 0.0) for n in range(24)} == {Verdict.STRAY}
    assert made.judge(("8.8.8.8", 4000), 9, 1, 0.5, 0.0) is Verdict.LATCH
    alone = Latch(relatch_silence_s=3.0)
    alone.signal(("8.8.8.8", 4000))
    assert [alone.judge(NAT, 7, n, n / 50, 0.0) for n in range(25)][-1] is Verdict.LATCH
    near = Latch(relatch_silence_s=3.0)
    near.signal(("8.8.8.8", 4000))
    assert [near.judge(("8.8.8.8", 9), 7, n, 0.0, 0.0) for n in range(2)][-1] is Verdict.LATCH


def test_a_phone_behind_its_carriers_nat_is_waited_for_no_longer_than_one_behind_its_own() -> None:
    for host in ("10.0.0.5", "100.64.7.7", "fd00::5"):
        made = Latch(relatch_silence_s=3.0)
        made.signal((host, 4000))
        assert [made.judge(NAT, 7, n, n / 50, 0.0) for n in range(2)][-1] is Verdict.LATCH, host


def test_a_spray_of_single_packets_never_latches() -> None:
    made = latch()
    verdicts = {
        made.judge((f"203.0.113.{n % 250}", 1000 + n), n, n * 7 % 65536, n / 1000, 0.0) for n in range(2000)
    }
    assert verdicts == {Verdict.STRAY}
    assert made.source is None


def test_a_gap_or_another_ssrc_is_not_in_sequence() -> None:
    made = latch()
    for ssrc, sequence in ((7, 1), (7, 3), (8, 4), (7, 9)):
        assert made.judge(NAT, ssrc, sequence, 0.0, 0.0) is Verdict.STRAY


def test_nothing_latches_without_an_address_from_signalling() -> None:
    made = Latch(relatch_silence_s=3.0)
    assert {made.judge(NAT, 7, n, 0.0, 0.0) for n in range(5)} == {Verdict.STRAY}


def test_the_signalled_address_takes_over_while_learning_and_not_after() -> None:
    early, late = latched(STRANGER), latched(STRANGER)
    assert early.judge(SDP, 9, 1, LEARN_S - 0.1, LEARN_S - 0.1) is Verdict.LATCH
    assert late.judge(SDP, 9, 1, LEARN_S + 0.1, LEARN_S + 0.1) is Verdict.STRAY


def test_a_stranger_does_not_take_over_while_learning() -> None:
    made = latched(NAT)
    assert [made.judge(STRANGER, 7, n, 0.1, 0.1) for n in range(3)] == [Verdict.STRAY] * 3


def test_a_locked_peer_is_followed_only_after_silence_and_with_its_ssrc() -> None:
    moved = ("198.51.100.7", 31999)
    made = latched(NAT)
    assert [made.judge(moved, 7, n, 10.0, 9.0) for n in (1, 2)] == [Verdict.STRAY] * 2
    assert [made.judge(moved, 8, n, 13.0, 9.0) for n in (1, 2)] == [Verdict.STRAY] * 2
    assert [made.judge(moved, 7, n, 13.0, 9.0) for n in (1, 2)] == [Verdict.STRAY, Verdict.LATCH]


def test_new_signalling_gives_the_latch_up() -> None:
    made = latched(NAT)
    assert made.signal(("192.0.2.9", 6000)) is True
    assert made.source is None
    assert made.judge(("192.0.2.9", 6000), 7, 5, 20.0, 20.0) is Verdict.LATCH


def test_the_same_address_again_and_hold_by_0_0_0_0_keep_the_latch() -> None:
    made = latched(NAT)
    assert made.signal(SDP) is False
    assert made.signal(None) is False
    assert made.signal(SDP) is False
    assert made.source == NAT


def test_the_peer_of_the_ports_last_call_does_not_latch_unless_signalled() -> None:
    made = latch(stale=(NAT, 7))
    assert {made.judge(NAT, 7, n, 0.0, 0.0) for n in range(4)} == {Verdict.STRAY}
    assert [made.judge(NAT, 8, n, 0.0, 0.0) for n in (1, 2)] == [Verdict.STRAY, Verdict.LATCH]
    assert latch(stale=(SDP, 7)).judge(SDP, 7, 1, 0.0, 0.0) is Verdict.LATCH
