"""What follows from the settings."""

import pytest

from edge.calls.sources import LEAST_MESSAGES
from edge.derived import media_address, most_messages, second_media_address
from edge.settings import Settings


@pytest.mark.parametrize(
    ("max_cps", "said", "most"),
    [(400, 0, 10_000), (0.1, 0, LEAST_MESSAGES), (400, 50, 50)],
)
def test_a_source_may_send_what_the_server_s_calls_need_and_never_less_than_a_little(
    max_cps: float, said: int, most: float
) -> None:
    settings = Settings.model_validate(
        {"calls": {"max_cps": max_cps}, "sip": {"max_messages_per_second": said}}
    )
    assert most_messages(settings) == most


@pytest.mark.parametrize(
    ("listen", "advertised", "first", "second"),
    [
        (["192.0.2.7"], "", "192.0.2.7", ""),
        (["192.0.2.7"], "203.0.113.5:5062", "203.0.113.5", ""),
        (["192.0.2.7", "[::]"], "", "192.0.2.7", "::"),
        (["[2001:db8::7]", "192.0.2.7"], "", "2001:db8::7", "192.0.2.7"),
        (["0.0.0.0", "[2001:db8::7]"], "203.0.113.5", "203.0.113.5", "2001:db8::7"),
        (["0.0.0.0", "[::]"], "203.0.113.5", "203.0.113.5", "::"),
        (["0.0.0.0", "[::]"], "[2001:db8::9]:5060", "2001:db8::9", "0.0.0.0"),
        (["0.0.0.0", "[::]"], "sip.example.com", None, "::"),
    ],
)
def test_audio_has_an_address_in_each_family_that_sip_has(
    listen: list[str], advertised: str, first: str | None, second: str
) -> None:
    sip = {"listen": [f"udp://{host}:5060" for host in listen], "advertised_address": advertised}
    settings = Settings.model_validate({"sip": sip})
    assert first in (media_address(settings), None)
    assert second_media_address(settings) == second


def test_who_listens_on_ipv6_alone_has_no_ipv4_address_for_audio() -> None:
    settings = Settings.model_validate({"sip": {"listen": ["udp://[::]:5060"]}})
    assert ":" in media_address(settings)
    assert second_media_address(settings) == ""
