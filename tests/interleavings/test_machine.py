"""A bounded run of the interleavings, always the same; ``make campaign-interleavings`` is the long one."""

from hypothesis import HealthCheck, settings

from tests.interleavings.machine import Interleavings

TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
