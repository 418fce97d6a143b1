"""Which trunk a request comes from."""

import pytest

from edge.routing.trunks import TrunkIndex
from tests.routing.world import trunk

INDEX = TrunkIndex(
    [
        trunk(id="trk_1", addresses=("192.0.2.0/24", "2001:db8::/32")),
        trunk(id="trk_2", addresses=("192.0.2.64/26",)),
        trunk(id="trk_3", addresses=("192.0.2.65", "2001:db8::5")),
        trunk(id="trk_4", addresses=("192.0.2.65",)),
        trunk(id="trk_5", addresses=(), username="alice", password="secret"),
    ]
)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.0.2.1", "trk_1"),
        ("192.0.2.64", "trk_2"),
        ("192.0.2.65", "trk_3"),  # the longest prefix; the older trunk on a tie
        ("192.0.2.127", "trk_2"),
        ("192.0.2.128", "trk_1"),
        ("192.0.3.1", None),
        ("2001:db8::4", "trk_1"),
        ("2001:db8::5", "trk_3"),
        ("2001:0db8:0:0::0005", "trk_3"),
        ("::ffff:192.0.2.65", "trk_3"),
        ("2001:db9::1", None),
        ("", None),
        ("no address", None),
    ],
)
def test_the_longest_prefix_wins(address: str, found: str | None) -> None:
    trunk = INDEX.by_address(address)
    assert (trunk.id if trunk else None) == found


def test_a_trunk_with_credentials_is_found_by_its_user() -> None:
    alice = INDEX.by_username("alice")
    assert alice is not None
    assert alice.id == "trk_5"
    assert INDEX.by_username("bob") is None
    assert INDEX.has_credentials_only
    assert not TrunkIndex([trunk()]).has_credentials_only


def test_an_index_that_did_not_change_is_kept() -> None:
    assert INDEX.changed({"trk_unknown": None}) is INDEX
    without = INDEX.changed({"trk_3": None})
    found = without.by_address("192.0.2.65")
    assert found is not None
    assert found.id == "trk_4"


def test_a_trunk_is_found_by_its_user_name_where_it_may_log_in() -> None:
    index = TrunkIndex(
        [
            trunk(id="trk_1", addresses=("192.0.2.0/24",), username="alice", password="secret"),
            trunk(id="trk_2", addresses=("192.0.2.0/24", "192.0.3.1"), username="bob", password="secret"),
            trunk(id="trk_3", addresses=(), username="carol", password="secret"),
        ]
    )
    found = [
        [
            None if one is None else one.id
            for one in (index.by_login(at, name) for name in ("alice", "bob", "carol"))
        ]
        for at in ("192.0.2.9", "192.0.3.1", "198.51.100.1")
    ]
    assert found == [["trk_1", "trk_2", "trk_3"], [None, "trk_2", "trk_3"], [None, None, "trk_3"]]
    assert index.by_login("192.0.2.9", "dave") is None
    assert index.is_shared("192.0.2.9") and not index.is_shared("192.0.3.1")
