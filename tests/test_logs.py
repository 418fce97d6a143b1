"""What logs must never tell."""

import io

import pytest

from edge.logs import Format, configured, get_logger


def _fail() -> None:
    password = "open-sesame-" + str(len("x"))
    raise RuntimeError(f"no way in ({len(password)})")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_tells_no_local_variable(form: Format) -> None:
    out = io.StringIO()
    with configured("info", form, out):
        try:
            _fail()
        except RuntimeError:
            get_logger().exception("failed")
    assert "no way in (13)" in out.getvalue()
    assert "open-sesame-1" not in out.getvalue()
