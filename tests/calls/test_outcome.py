"""What a peer's final answer comes to, and how it is shown."""

from edge.calls.outcome import told
from edge.sip.message import Headers, Response


def test_an_answer_s_words_are_short_and_any_text_can_be_made_of_them() -> None:
    said = "\x1b[2J\udcff" + "x" * 8000
    shown = told(Response(503, said, Headers()))
    assert shown.startswith("503 \ufffd[2J\ufffdx") and len(shown) == 104
    assert shown.encode() and shown.isprintable()
