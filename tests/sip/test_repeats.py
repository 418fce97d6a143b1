"""Which datagrams come again with the patience of RFC 3261."""

from edge.sip import repeats
from edge.sip.repeats import Repeats


def test_the_same_octets_of_the_same_host_after_a_while_and_nothing_else() -> None:
    seen = Repeats()
    assert not seen.is_patient("h", b"INVITE", 10.0)
    assert not seen.is_patient("h", b"INVITE", 10.3), "which begins anew"
    assert not seen.is_patient("h", b"INVITE", 10.6)
    assert not seen.is_patient("other", b"INVITE", 11.1)
    assert not seen.is_patient("h", b"INVITe", 11.1)
    assert seen.is_patient("h", b"INVITE", 11.1)
    assert seen.is_patient("h", b"INVITE", 12.1)


def test_of_very_many_the_newest_are_remembered() -> None:
    seen = Repeats()
    for n in range(3 * repeats.MOST):
        seen.is_patient("h", b"%d" % n, 10.0)
    assert len(seen._last) <= repeats.MOST
    assert seen.is_patient("h", b"%d" % (3 * repeats.MOST - 1), 10.5)
    assert not seen.is_patient("h", b"0", 10.5)
