"""Which addresses count as one."""

import pytest

from edge.networks import Networks, source_of


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1%x", "192.0.2.1"),
        ("no:address", "no:address"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_what_counts_as_one_source(host: str, source: str) -> None:
    assert source_of(host) == source


@pytest.mark.parametrize(
    ("cidr", "inside", "outside"),
    [
        ("::ffff:192.0.2.0/120", ("192.0.2.7", "::ffff:192.0.2.7"), ("192.0.3.7", "2001:db8::7")),
        ("::ffff:192.0.2.7", ("192.0.2.7", "::ffff:192.0.2.7"), ("192.0.2.8",)),
        ("192.0.2.0/24", ("192.0.2.7", "::ffff:192.0.2.7"), ("192.0.3.7",)),
    ],
)
def test_ipv4_is_one_however_it_is_written(
    cidr: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    networks = Networks.of([cidr])
    assert [host in networks for host in (*inside, *outside)] == [True] * len(inside) + [False] * len(outside)
