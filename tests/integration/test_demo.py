"""``edge demo`` as whoever has just installed the product runs it."""

import os
import subprocess
import sys
from pathlib import Path

EDGE = str(Path(sys.executable).with_name("edge"))


def test_the_demo_places_its_calls_and_explains_them(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_")}
    ran = subprocess.run(
        [EDGE, "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not list(tmp_path.iterdir())
    for part in (
        "/api/v1",
        "disposition         connected",
        "disposition         after_hours_message",
        "disposition         number_cap",
        "INVITE sip:sales ",
        "BYE",
        "answered",
        "attribution         exact",
        "utm_source = newsletter (from the url)",
        "All 4 calls went as they should.",
    ):
        assert part in ran.stdout
    assert "\x1b" not in ran.stdout
