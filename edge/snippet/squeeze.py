"""Makes a script of ours smaller: comments and white space go, names of its own become short.

For scripts in the manner of ``page.js`` only: comments fill whole lines, statements end in
semicolons, there are no template literals, and no local name is written as a property in shorthand.  A name
that is also used as a property keeps its length.
"""

import re
from collections import Counter
from string import ascii_letters

_REGEX = r"/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*"
# A slash begins a regular expression after a parenthesis, or after an operator and a space.
_TOKEN = re.compile(
    rf"(?P<literal>'(?:[^'\\\n]|\\.)*'|(?:(?<=\()|(?<=[=>,:!&|?] )){_REGEX})|(?P<space>\s+)"
    r"|(?P<name>(?:(?<!\.)|(?<=\.\.\.))[A-Za-z_]\w*)|(?P<other>\w+|.)"
)
_DECLARATIONS = re.compile(r"\b(?:const|let) (?=([^;]*?)(?:;| of ))")
_DECLARED = re.compile(r"(?:^|[,\[]\s*)([A-Za-z]\w*)(?=\s*(?:=[^=>]|[,\]]|$))")
_PARAMETERS = re.compile(r"\bfunction (\w* ?\([^)]*\))|(\([\w, .]*\)) =>|\bcatch (\(\w+\))")
_PROPERTIES = re.compile(r"(?<!\.\.)\.(\w+)|[{,]\s*(\w+):")


def squeeze(source: str) -> str:
    """The same script, shorter."""
    lines = (line.strip() for line in source.splitlines())
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    short = _short(text)
    out = ""
    tokens = [(found.lastgroup, found[0]) for found in _TOKEN.finditer(text)]
    for place, (kind, token) in enumerate(tokens):
        if kind == "space":
            after = tokens[place + 1][1] if place + 1 < len(tokens) else ""
            out += " " if _needed(out[-1:], after[:1]) else ""
        else:
            out += short.get(token, token) if kind == "name" else token
    return out.replace(";}", "}")


def _needed(before: str, after: str) -> bool:
    words = (before.isalnum() or before in "_$'") and (after.isalnum() or after in "_$")
    return words or before + after in {"++", "--"}


def _short(text: str) -> dict[str, str]:
    """Short names for what the script declares, the shortest for the most frequent."""
    code = _TOKEN.sub(lambda found: "''" if found.lastgroup == "literal" else found[0], text)
    declared = {name for group in _DECLARATIONS.findall(code) for name in _DECLARED.findall(group)}
    for parameters in _PARAMETERS.findall(code):
        declared.update(re.findall(r"[A-Za-z]\w*", "".join(parameters)))
    properties = {name for pair in _PROPERTIES.findall(code) for name in pair}
    used = Counter(found[0] for found in _TOKEN.finditer(code) if found.lastgroup == "name")
    wanted = sorted(declared - properties, key=lambda name: (-used[name], name))
    names = [*ascii_letters, *(a + b for a in ascii_letters for b in ascii_letters)]
    free = (name for name in names if name not in used.keys() - set(wanted) and name not in _RESERVED)
    return dict(zip(wanted, free, strict=False))


_RESERVED = {"as", "do", "if", "in", "is", "of"}
