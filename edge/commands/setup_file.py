"""The file of ``edge export`` and ``edge apply``: a set-up as YAML that reads and compares well.

Written by hand, for the text must never change by itself; read by PyYAML with JSON's idea of what is
no text (``true``, ``false``, ``null``, numbers): ``no``, ``09:00`` and ``2026-12-25`` are texts.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edge.commands.failure import CommandFailed
from edge.commands.printed import one_line

Json = dict[str, Any]
_HEAD = (
    '# The set-up of an Edge server. "edge diff FILE" tells what this file would change, "edge apply FILE"\n'
    "# changes it. What is left out of an object is at its default; secrets stay where they are set.\n"
)
_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@-]*(?: [A-Za-z0-9_./@-]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


# -- writing ----------------------------------------------------------------------------------------


def written(document: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a document, each with its end."""
    yield _HEAD
    for name, value in document.items():
        if value and isinstance(value, list):
            yield f"\n{name}:\n"
            for item in value:
                yield from _item(item, "  ")
        else:
            yield from _block({name: value}, "")


def _item(value: Any, indent: str) -> Iterator[str]:
    """An entry of a list."""
    short = _short(value, indent)
    if short is not None:
        yield f"{indent}- {short}\n"
        return
    lines = _block(value, indent + "  ")
    yield f"{indent}- {next(lines).lstrip()}"
    yield from lines


def _block(value: Any, indent: str) -> Iterator[str]:
    """A mapping or a list that needs lines of its own."""
    if isinstance(value, list):
        for item in value:
            yield from _item(item, indent)
        return
    for key, part in value.items():
        short = _short(part, indent + key)
        if short is not None:
            yield f"{indent}{scalar(key)}: {short}\n"
        else:
            yield f"{indent}{scalar(key)}:\n"
            yield from _block(part, indent + "  ")


def _short(value: Any, before: str) -> str | None:
    """The value on the same line, if it may stand there: scalars, secrets, and short lists of both."""
    if not isinstance(value, dict | list):
        return scalar(value)
    if isinstance(value, dict):
        if value and (len(value) > 1 or any(isinstance(part, dict | list) for part in value.values())):
            return None
        return "{" + ", ".join(f"{scalar(key)}: {scalar(part)}" for key, part in value.items()) + "}"
    parts = [_short(part, "") for part in value]
    if None in parts or any(isinstance(part, dict) and part for part in value):
        return None
    text = "[" + ", ".join(str(part) for part in parts) + "]"
    return text if len(before) + len(text) <= _WIDTH else None


def scalar(value: Any) -> str:
    """A value that is no list and no mapping, as it stands in the file."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return one_line(value)
    return json.dumps(value)


# -- reading ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetupFile:
    """What a file says, and on which line each entry of a section begins; ``unset`` holds the places
    of secrets that the file takes from elsewhere, and why they are not there."""

    document: Json
    lines: Mapping[str, int]
    unset: dict[str, str] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """The line that an error's path means: ``:12`` or nothing."""
        entry = re.match(r"\w+\[\d+\]", path)
        line = self.lines.get(entry[0] if entry else path.partition(".")[0])
        return "" if line is None else f":{line}"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's structure, JSON's scalars; a key that stands twice is refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, as PyYAML does

    def construct_mapping(self, node: Any, deep: bool = False) -> Json:
        found: Json = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key_node.start_mark)
            # As it is written: 1 and "1" are the same key of a menu.
            if key_node.value in found:
                problem = f"{key_node.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            found[key_node.value] = self.construct_object(value_node, deep=deep)
        return found


def _whole_map(loader: _Loader, node: Any) -> Json:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _whole_map)
for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def load(path: Path, text: str) -> SetupFile:
    """A file's content; raises CommandFailed with the line of what can not be read."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        found = loader.construct_document(root) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise CommandFailed(f"{where}: {getattr(error, 'problem', None) or error}", 2) from None
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{path}: {error}", 2) from None
    finally:
        loader.dispose()
    if not isinstance(found, dict):
        raise CommandFailed(f"{path}: a set-up begins with 'edge: 1' and sections; export one to see", 2)
    return SetupFile(found, dict(_lines(root)))


def _lines(root: Any) -> Iterator[tuple[str, int]]:
    for key, value in root.value:
        yield key.value, key.start_mark.line + 1
        if isinstance(value, yaml.SequenceNode):
            for index, item in enumerate(value.value):
                yield f"{key.value}[{index}]", item.start_mark.line + 1
