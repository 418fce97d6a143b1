"""Reads the carriers' presets: those of the product, and the operator's own over them.  Blocks."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.model.preset import Preset
from edge.routing.presets import Presets
from edge.services.rules import of_a_carrier

SHIPPED = Path(__file__).with_name("presets.toml")


class PresetsUnusable(Exception):
    """The operator's file can not be used; the text says why."""


def read_presets(own: str) -> Presets:
    """All presets; ``own`` is the operator's file, if there is one.  Raises PresetsUnusable."""
    tables = _tables(SHIPPED)
    for name, table in (_tables(Path(own)) if own else {}).items():
        tables[name] = _over(tables.get(name, {}), table)
    return Presets(_preset(name, table) for name, table in tables.items())


def _over(before: Mapping[str, Any], table: Mapping[str, Any]) -> Mapping[str, Any]:
    """One table of the operator's over what is known; addresses of theirs are vouched for by them."""
    merged = {**before, **table}
    if isinstance(table.get("sip"), Mapping):
        merged["sip"] = {**before.get("sip", {}), **table["sip"]}
    if "addresses" in table and "confirmed" not in table:
        merged["confirmed"] = "operator" if table["addresses"] else "none"
    return merged


def _tables(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PresetsUnusable(f"{path}: {error}") from None
    for name, table in found.items():
        if not isinstance(table, dict):
            raise PresetsUnusable(f"{path}: {name} is no table; write [{name}] above its fields")
    return found


def _preset(name: str, table: Mapping[str, Any]) -> Preset:
    try:
        preset = Preset.model_validate({**table, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (name, *first["loc"])))
        raise PresetsUnusable(f"preset {where}: {first['msg']}") from None
    for wrong in of_a_carrier(preset.sip):
        raise PresetsUnusable(f"preset {name}.{wrong.path}: {wrong.message}")
    return preset
