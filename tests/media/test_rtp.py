"""Loss and jitter as RFC 3550 counts them."""

import pytest

from edge.media.rtp import Reception, header_length, later


def fed(sequences: list[int], ssrc: int = 1) -> Reception:
    reception = Reception()
    for n, sequence in enumerate(sequences):
        reception.add(sequence, sequence * 160, ssrc, n * 0.02)
    return reception


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        ([1, 2, 3, 4], 0),
        ([1, 2, 4, 5], 1),
        ([1, 3, 2, 4], 0),
        ([1, 4, 2, 6], 2),
        ([65534, 65535, 0, 1], 0),
        ([65534, 1, 2], 2),
        ([65535, 65534, 0, 1], 0),
        ([1, 2, 2, 3], 0),
        ([100, 40000, 40001], 0),
    ],
)
def test_lost_packets(sequences: list[int], lost: int) -> None:
    assert fed(sequences).lost == lost


def test_a_sequence_that_wraps_twice() -> None:
    assert fed([n % 65536 for n in range(65000, 65000 + 150000) if n != 100000]).lost == 1


def test_a_new_ssrc_keeps_what_the_old_one_lost() -> None:
    reception = fed([1, 5])
    reception.add(900, 0, 2, 1.0)
    reception.add(902, 320, 2, 1.04)
    assert reception.lost == 3 + 1


def test_jitter_of_an_even_stream_is_none_and_of_an_uneven_one_its_wobble() -> None:
    even, uneven = Reception(), Reception()
    for n in range(500):
        even.add(n, n * 160, 1, n * 0.02)
        uneven.add(n, n * 160, 1, n * 0.02 + (0.005 if n % 2 else 0))
    assert even.jitter_ms < 0.2
    assert uneven.jitter_ms == pytest.approx(5.0, abs=0.2)


def test_jitter_counts_in_the_codecs_clock() -> None:
    reception = Reception(48000)
    for n in range(500):
        reception.add(n, n * 960, 1, n * 0.02 + (0.005 if n % 2 else 0))
    assert reception.jitter_ms == pytest.approx(5.0, abs=0.2)


def test_telephone_events_count_as_received_and_make_no_jitter() -> None:
    reception = fed([1, 2])
    for sequence in range(3, 50):
        reception.skip(sequence, 1)
    reception.add(50, 50 * 160, 1, 49 * 0.02)
    assert (reception.lost, reception.jitter_ms < 0.2) == (0, True)


def test_later_modulo_the_wrap() -> None:
    assert later(5, 0xFFFFFFF0)
    assert not later(0xFFFFFFF0, 5)
    assert not later(5, 5)


@pytest.mark.parametrize(
    ("packet", "size"),
    [
        (bytes([0x80]) + bytes(30), 12),
        (bytes([0x82]) + bytes(30), 20),
        (bytes([0x90]) + bytes(13) + b"\x00\x02" + bytes(20), 24),
        (bytes([0x90]) + bytes(13) + b"\xff\xff" + bytes(4), 20),
        (bytes([0x8F]) + bytes(15), 16),
    ],
)
def test_header_length_with_csrcs_and_extension_never_beyond_the_packet(packet: bytes, size: int) -> None:
    assert header_length(packet, len(packet)) == size
