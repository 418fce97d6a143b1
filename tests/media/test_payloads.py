"""What becomes of each payload type between two legs."""

from edge.media.engine import Plan
from edge.media.payloads import EVENT, HERE_ONLY, payload_table


def test_payload_types_are_mapped_and_the_marker_bit_kept() -> None:
    table = payload_table(Plan(None, payloads={0: 0, 96: 101}))
    assert (table[0], table[0x80], table[96], table[0x80 | 96]) == (0, 0x80, 101, 0x80 | 101)


def test_comfort_noise_passes_even_if_nobody_negotiated_it() -> None:
    assert payload_table(Plan(None, payloads={0: 0}))[13] == 13
    assert payload_table(Plan(None, payloads={0: 0, 13: 19}))[13] == 19
    assert 13 not in payload_table(Plan(None))


def test_telephone_events_are_read_and_passed_only_where_mapped() -> None:
    passed = payload_table(Plan(None, payloads={0: 0, 96: 101}, event_payload=96))[96]
    kept = payload_table(Plan(None, payloads={0: 0}, event_payload=96))[96]
    assert passed == EVENT | 101
    assert kept & EVENT and kept & HERE_ONLY


def test_a_leg_that_only_hears_a_prompt_knows_its_codec() -> None:
    table = payload_table(Plan(None, play_codec="PCMA", play_payload=8))
    assert table[8] & HERE_ONLY
    assert 0 not in table
