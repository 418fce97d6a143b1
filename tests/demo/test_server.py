"""The demo's server."""

from pathlib import Path

from edge.demo.server import environment
from edge.media.local import LocalConfig


def test_several_demos_have_ports_at_once() -> None:
    """A server binds its stock of them ahead: that of the first must not be all there are."""
    first, _, last = environment(Path(), "t")["EDGE_MEDIA__PORTS"].partition("-")
    assert (int(last) - int(first)) // 2 > 4 * LocalConfig(0, 0, "127.0.0.1").stock
    # Below those from which Linux gives ports to whoever asks for any.
    assert int(last) < 32768
