"""The snippet's text: small, escaped, the same for the same campaign; and the line to paste."""

import gzip
import re
from html.parser import HTMLParser

import pytest

from edge.snippet.script import install_line, script
from edge.snippet.squeeze import squeeze

HOST = "https://calls.example.com"
CAMPAIGN = "cmp_01jd3v9k6w8z5x2c4v7b9n1m3q"


def test_it_fits_into_4_kilobytes() -> None:
    made = script(CAMPAIGN, HOST)
    assert len(made.gzipped) <= 4000
    assert gzip.decompress(made.gzipped) == made.body


def test_campaign_and_host_are_inside() -> None:
    text = script(CAMPAIGN, HOST).body.decode()
    assert f'"{CAMPAIGN}"' in text
    assert f'"{HOST}"' in text


def test_the_version_follows_the_text() -> None:
    assert script(CAMPAIGN, HOST).version == script(CAMPAIGN, HOST).version
    assert script("cmp_2", HOST).version != script(CAMPAIGN, HOST).version


@pytest.mark.parametrize(
    "word", ['"', "\\", "</script>", "'+alert(1)+'", "\u2028", "<!--", "HOST", "'HOST'", "a\nb", "&quot;"]
)
def test_nothing_escapes_from_its_string(word: str) -> None:
    text = script(word, word).body.decode()
    assert len(text.splitlines()) == 1
    assert "</script" not in text and "<!--" not in text
    plain = script("x", "x").body.decode()
    strings = re.search(r'try\{\w+\("((?:[^"\\]|\\.)*)","((?:[^"\\]|\\.)*)"\)', text)
    assert strings is not None
    pieces = text[: strings.start(1)], text[strings.end(1) : strings.start(2)], text[strings.end(2) :]
    assert "x".join(pieces) == plain


def test_it_needs_no_permission_to_evaluate_nor_markup() -> None:
    text = script(CAMPAIGN, HOST).body.decode()
    for word in (
        "eval(",
        "Function(",
        "innerHTML",
        "outerHTML",
        "document.write",
        "currentScript",
        "insertAdjacent",
    ):
        assert word not in text


def test_old_browsers_can_read_it() -> None:
    """Nothing that came after ES2017: one such word, and the whole script is a syntax error there."""
    text = script(CAMPAIGN, HOST).body.decode()
    for word in ("?.", "??", "catch{", "{...", "?<=", "?<!", "`", "#"):
        assert word not in text.replace("split('#')", "")


class _Tag(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "script"
        self.attributes = attrs


def test_the_line_to_paste() -> None:
    line = install_line(HOST, CAMPAIGN)
    names = [name for name, _ in _Tag(line).attributes]
    assert line.startswith("<script async ") and line.endswith("></script>")
    assert dict(_Tag(line).attributes)["src"] == f"{HOST}/t/{CAMPAIGN}.js"
    # Rocket Loader looks only at what stands ahead of src.
    assert names.index("data-cfasync") < names.index("src")
    assert {"data-no-optimize", "data-noptimize", "nowprocket", "data-pagespeed-no-defer"} <= set(names)


@pytest.mark.parametrize(
    ("source", "small"),
    [
        ("// gone\nconst value = 1;\nuse(value + 1);\n", "const a=1;use(a+1);"),
        ("const tag = 1; object.tag = tag;", "const tag=1;object.tag=tag;"),
        ("const text = 'a  text  b'; say(text);", "const a='a  text  b';say(a);"),
        ("const find = (name) => /^(a name|\\/)$/i.test(name);", "const b=(a)=>/^(a name|\\/)$/i.test(a);"),
        ("function half(number) { return number / 2 / 2; }", "function b(a){return a/2/2}"),
        ("const all = (...items) => push(...items);", "const b=(...a)=>push(...a);"),
        ("let i = 1, more = i++ + +i;", "let a=1,b=a++ + +a;"),
        ("try { go(); } catch (error) { say(error); }", "try{go()}catch(a){say(a)}"),
        ("for (const each of list) { say({ each: 1 }); }", "for(const each of list){say({each:1})}"),
    ],
)
def test_squeezing(source: str, small: str) -> None:
    assert squeeze(source) == small
