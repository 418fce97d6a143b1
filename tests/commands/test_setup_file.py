"""The file of a set-up: JSON in, YAML out, and the same JSON back."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.commands.failure import CommandFailed
from edge.commands.setup_file import load, written

FILE = Path("setup.yaml")
TEXT = st.text("aZ0_ é'\"#:-{}[],&*!|>%@`\\\n\t\x85\u2028\ufeff\U0001f4de", max_size=12) | st.sampled_from(
    [
        "yes",
        "No",
        "null",
        "~",
        "",
        "09:00",
        "1e3",
        "0x1f",
        "2026-12-25",
        "+18005550100",
        "- a",
        "a: b",
        "<<",
        "=",
    ]
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DOCUMENT = st.dictionaries(st.sampled_from(["edge", "base", "trunks", "numbers"]), VALUE, min_size=1)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENT)
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    assert load(FILE, "".join(written(document))).document == document


def test_it_reads_well() -> None:
    campaign = {
        "id": "cmp_1",
        "name": "Spring 2026",
        "hours": {"timezone": "Europe/Berlin", "weekly": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}},
        "routes": {"targets": [{"target_id": "tgt_1", "weight": 2}], "record": "off"},
    }
    text = "".join(written({"edge": 1, "base": "0f", "campaigns": [campaign]}))
    assert text.partition("campaigns:\n")[2] == (
        "  - id: cmp_1\n"
        '    name: "Spring 2026"\n'
        "    hours:\n"
        "      timezone: Europe/Berlin\n"
        "      weekly:\n"
        '        mon: [["09:00", "12:00"], ["13:00", "17:00"]]\n'
        "    routes:\n"
        "      targets:\n"
        "        - target_id: tgt_1\n"
        "          weight: 2\n"
        '      record: "off"\n'
    ).replace('"Spring 2026"', "Spring 2026")


def test_texts_stay_texts() -> None:
    by_hand = "numbers:\n  - e164: +18005550100\n    tags: {open: no, at: 09:00, day: 2026-12-25}\n"
    (number,) = load(FILE, by_hand).document["numbers"]
    assert number == {"e164": "+18005550100", "tags": {"open": "no", "at": "09:00", "day": "2026-12-25"}}


def test_an_error_finds_its_line() -> None:
    file = load(FILE, "edge: 1\nnumbers:\n  - id: num_1\n\n  - id: num_2\n")
    assert [file.place(path) for path in ("numbers[1].e164", "numbers[0]", "edge", "other")] == [
        ":5", ":3", ":1", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "setup.yaml:2: 'a' stands twice"),
        ("a: [1", "setup.yaml:"),
        ("- 1\n", "begins with 'edge: 1'"),
        ("", "begins with 'edge: 1'"),
        ("a: !!python/object:os.system {}", "setup.yaml:1"),
        ("? [1]\n: 2\n", "a key must be text"),
        ("a: \x00", "setup.yaml"),
    ],
)
def test_what_can_not_be_read_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        load(FILE, text)
    assert said in str(caught.value) and caught.value.code == 2
