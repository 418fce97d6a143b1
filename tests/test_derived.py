"""What follows from the settings."""

import pytest

from edge.calls.sources import LEAST_MESSAGES
from edge.derived import most_messages
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
