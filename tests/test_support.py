"""The tests' own instruments: SIPp talks to SIPp, and tones are told apart."""

from pathlib import Path

import numpy as np
import pytest

from tests.support import tones
from tests.support.sipp import call, sipp


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_sipp_caller_reaches_a_sipp_callee(tmp_path: Path, transport: str) -> None:
    async with sipp(tmp_path, "answer", calls=2, transport=transport) as target:
        made = await call(tmp_path, target.address, "100", "caller", "-d", "20", calls=2, transport=transport)
        made.check(calls=2)
        (await target.result()).check(calls=2)


async def test_a_failed_call_is_counted_and_quoted(tmp_path: Path) -> None:
    async with sipp(tmp_path, "caller", "127.0.0.1:9", "-s", "100", limit_s=3) as lonely:
        failed = await lonely.result()
    assert (failed.calls_ok, failed.exit_code != 0) == (0, True)
    with pytest.raises(AssertionError, match="INVITE sip:100@"):
        failed.check()


def test_a_tone_is_heard_in_noise_and_another_is_not() -> None:
    noise = np.random.default_rng(1).normal(0, 1000, 8000).astype(np.int16)
    mixed = tones.tone(440, 1.0) + noise
    assert tones.heard(mixed, 440) == pytest.approx(1.0)
    assert tones.heard(mixed, 520) == 0
    assert tones.share(np.zeros(800, np.int16), 440) == 0
