"""The set-up as a document: sections of plain objects, in an order that does not change.

``{"edge": 1, "base": "…", "trunks": [{…}, …], …}``: a section is named as the objects' path in the
API (with ``_``), its objects stand by id, each on one line, without what is at its default.
Secrets are ``{"set": true}``.  Prompts that come with the product and released numbers are no part of
it.  ``base`` is a hash of everything: the same set-up has the same base on any server.

Everything here takes time at 100,000 objects: it runs in a thread, and calls ``breathe`` often.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from json import JSONDecoder
from typing import Any

from pydantic import BaseModel

from edge.model.config import NOTHING_OWN, Number, NumberSpec, OwnSettings, Prompt
from edge.model.kinds import Kind, Object
from edge.model.secrets import hidden
from edge.model.sip import RegisterSpec
from edge.model.trunk import TrunkSpec
from edge.services.configuration import SPECS, PromptSpec
from edge.services.errors import FieldError, Invalid
from edge.services.setup.portions import let_go
from edge.store.bodies import COMMON, SHAPES

FORMAT = 1
Plain = dict[str, Any]
Breathe = Callable[[], None]
# Campaigns name what comes before them, numbers the campaigns; and numbers are most of a set-up.
_LAST: tuple[Kind, ...] = ("campaign", "number", "block")
SECTIONS: Mapping[str, Kind] = {
    SHAPES[kind].table.name: kind for kind in (*(k for k in SHAPES if k not in _LAST), *_LAST)
}
_SECTION_OF = {kind: section for section, kind in SECTIONS.items()}
_FIRST = ("id", "name", "e164", "pattern", "external_id")
_OFTEN = 50
_SORTED = 2000


class NumberSetup(NumberSpec):
    """What a document says of a number: its four settings too."""

    settings: OwnSettings = NOTHING_OWN


class PromptSetup(PromptSpec):
    """What a document says of a prompt: ``sha256`` of the audio that was uploaded, which is not in it."""

    sha256: str
    text: str | None = None


class TrunkSetup(TrunkSpec):
    """What a document says of a trunk: which fields its preset leaves alone; those that stand there, if it
    does not say."""

    overrides: tuple[str, ...] = ()
    # Said again, as in Trunk.
    register: RegisterSpec | None = None


SETUP_SPECS: Mapping[Kind, type[BaseModel]] = {
    **SPECS, "number": NumberSetup, "prompt": PromptSetup, "trunk": TrunkSetup,
}  # fmt: skip
_LEFT_OUT: Mapping[Kind, set[str]] = {
    kind: set(SHAPES[kind].model.model_fields) - set(spec.model_fields) - {"id"}
    for kind, spec in SETUP_SPECS.items()
}


@dataclass(slots=True)
class Document:
    """A document that was read: ``base`` None means that it may be applied to any set-up."""

    base: str | None = None
    sections: dict[str, list[Any]] = field(default_factory=dict)


def section_of(kind: Kind) -> str:
    """The section of a kind of object."""
    return _SECTION_OF[kind]


def belongs(item: Object) -> bool:
    """Whether an object is part of the document."""
    if isinstance(item, Prompt):
        return not item.built_in
    return not (isinstance(item, Number) and item.release is not None)


def plain(kind: Kind, item: Object) -> Plain:
    """An object as a document says it."""
    dumped = item.model_dump(mode="json", exclude_defaults=True, exclude=_LEFT_OUT[kind])
    return in_order(hidden(item, dumped))


def in_order(found: Plain) -> Plain:
    """What names an object first, the rest as its model lists it."""
    return {name: found[name] for name in (*(n for n in _FIRST if n in found), *found)}


def trimmed(kind: Kind, body: Mapping[str, Any]) -> Plain:
    """A whole body, as the audit keeps it, without what a document does not say."""
    return {name: value for name, value in body.items() if name not in _LEFT_OUT[kind] and name not in COMMON}


def _sorted_texts(found: list[tuple[str, str]]) -> list[str]:
    """The texts by their ids; sorted in portions, for one sort of all would stop every thread meanwhile."""
    portions = (sorted(found[at : at + _SORTED]) for at in range(0, len(found), _SORTED))
    return [text for _, text in merge(*portions)]


class Written:
    """The text of a set-up, and its base."""

    def __init__(self, objects: Iterable[tuple[Kind, Object]], breathe: Breathe) -> None:
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in SECTIONS}
        for at, (kind, item) in enumerate(objects):
            if at % _OFTEN == 0:
                breathe()
            if belongs(item):
                text = json.dumps(plain(kind, item), ensure_ascii=False, separators=(", ", ": "))
                sections[section_of(kind)].append((item.id, text))
        digest = hashlib.sha256()
        self._pieces: list[bytes] = []
        for name, found in sections.items():
            if found:
                self._add(name, _sorted_texts(found), digest.update, breathe)
            let_go(found, breathe)
        self.base = digest.hexdigest()[:16]
        self.empty = not self._pieces

    def _add(self, section: str, texts: list[str], digest: Callable[[bytes], None], breathe: Breathe) -> None:
        digest(section.encode())
        before = f',\n"{section}": [\n'
        for start in range(0, len(texts), _OFTEN):
            breathe()
            some = texts[start : start + _OFTEN]
            digest("\n".join(some).encode())
            self._pieces.append((before + ",\n".join(some)).encode())
            before = ",\n"
        self._pieces.append(b"\n]")

    def pieces(self) -> list[bytes]:
        """The whole document as JSON, in pieces: put together it would be copied in one long step."""
        head = f'{{"edge": {FORMAT}, "base": "{self.base}"'
        return [head.encode(), *self._pieces, b"}\n"]


# -- reading ----------------------------------------------------------------------------------------

# An object is looked for in a window of the text, so that no single step takes long.
_WINDOWS = (1 << 16, 1 << 20)
_DECODER = JSONDecoder()
_SPACE = " \t\r\n"


class _Reader:
    """Reads the outer frame by hand, and each object by the decoder."""

    def __init__(self, text: str, breathe: Breathe) -> None:
        self._text = text
        self._breathe = breathe
        self._at = 0
        self._window, self._offset = "", 0

    def read(self) -> Iterator[tuple[str, Any]]:
        """Each top-level member; the objects of a section come one by one."""
        self._take("{")
        if self._skip() == "}":
            return
        while True:
            name = self._value()
            if not isinstance(name, str):
                raise _malformed("a name", self._at)
            self._take(":")
            if name in SECTIONS:
                yield from ((name, item) for item in self._items())
            else:
                yield name, self._value()
            if self._take(",}") == "}":
                break
        if self._skip():
            raise _malformed("the end", self._at)

    def _items(self) -> Iterator[Any]:
        self._take("[")
        if self._skip() == "]":
            self._at += 1
            return
        count = 0
        while True:
            if count % _OFTEN == 0:
                self._breathe()
            count += 1
            yield self._value()
            if self._take(",]") == "]":
                return

    def _skip(self) -> str:
        """The next character that is no space, without taking it; empty at the end."""
        text = self._text
        while self._at < len(text) and text[self._at] in _SPACE:
            self._at += 1
        return text[self._at : self._at + 1]

    def _take(self, wanted: str) -> str:
        found = self._skip()
        if not found or found not in wanted:
            raise _malformed(" or ".join(repr(each) for each in wanted), self._at)
        self._at += 1
        return found

    def _value(self) -> Any:
        self._skip()
        place = self._at - self._offset
        if self._window and place < len(self._window):
            found = self._decoded(place)
            if found is not None:
                return found[0]
        for size in _WINDOWS:
            self._offset, self._window = self._at, self._text[self._at : self._at + size]
            found = self._decoded(0)
            if found is not None:
                return found[0]
        raise _malformed(f"a value of at most {_WINDOWS[-1]} characters", self._at)

    def _decoded(self, place: int) -> tuple[Any] | None:
        try:
            value, end = _DECODER.raw_decode(self._window, place)
        except (ValueError, RecursionError):
            return None
        # A number may go on behind the window.
        if end == len(self._window) and self._offset + end < len(self._text):
            return None
        self._at = self._offset + end
        return (value,)


def _malformed(wanted: str, at: int) -> Invalid:
    return Invalid([FieldError("", f"the document is no JSON: {wanted} is missing at character {at}")])


def read(raw: bytes | bytearray, breathe: Breathe) -> Document:
    """The document of a JSON text; raises Invalid."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Invalid([FieldError("", "must be UTF-8 text")]) from None
    found = Document()
    others: dict[str, Any] = {}
    for name, value in _Reader(text, breathe).read():
        if name in SECTIONS:
            found.sections.setdefault(name, []).append(value)
        else:
            others[name] = value
    found.base = _base(others)
    return found


def _base(others: Plain) -> str | None:
    """The base; raises Invalid for what a document does not have."""
    errors = [
        FieldError(name[:100], f"there is no such section; there are {', '.join(SECTIONS)}")
        for name in others
        if name not in ("edge", "base")
    ]
    if others.get("edge", FORMAT) != FORMAT or isinstance(others.get("edge"), bool):
        errors.append(FieldError("edge", f"this server reads the format {FORMAT}"))
    base = others.get("base")
    if base is not None and not isinstance(base, str):
        errors.append(FieldError("base", "is the text that an export says, or left out"))
    if errors:
        raise Invalid(errors[:50])
    return base
