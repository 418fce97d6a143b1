"""Secrets within records: how they are written in clear where they must be, and hidden elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

HIDDEN = {"set": True}


def in_clear(record: BaseModel, dumped: dict[str, Any]) -> dict[str, Any]:
    """``dumped`` (the record's own dump, or a part of it) with its secrets in clear, nested ones too."""
    for name, part in dumped.items():
        value = getattr(record, name)
        if isinstance(value, SecretStr):
            dumped[name] = value.get_secret_value()
        elif isinstance(value, BaseModel):
            in_clear(value, part)
    return dumped


def hidden(record: BaseModel, dumped: dict[str, Any]) -> dict[str, Any]:
    """``dumped`` with ``{"set": true}`` for each secret, nested ones too."""
    for name, part in dumped.items():
        value = getattr(record, name, None)
        if isinstance(value, SecretStr):
            dumped[name] = dict(HIDDEN)
        elif isinstance(value, BaseModel):
            hidden(value, part)
    return dumped


def secrets_of(record: BaseModel) -> dict[str, str]:
    """The secrets of a record by their path, such as ``register.password``."""
    return dict(_secrets(record, ""))


@cache
def secret_places(model: type[BaseModel]) -> tuple[str, ...]:
    """The paths at which records of a model may hold a secret."""
    return tuple(_places(model, ""))


def _places(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if "SecretStr" in str(info.annotation):
            yield path + name
            continue
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _places(part, f"{path}{name}.")


def put_secrets(body: dict[str, Any], places: Iterable[str], value_of: Callable[[str, Any], Any]) -> None:
    """Replaces what stands at each place of ``body`` that is not empty by ``value_of(place, it)``."""
    for place in places:
        *way, last = place.split(".")
        inner: Any = body
        for name in way:
            if isinstance(inner, dict) and isinstance(inner.get(name), dict):
                # A copy: what was given stays as it is.
                inner[name] = inner = dict(inner[name])
            else:
                inner = None
        if isinstance(inner, dict) and inner.get(last) is not None:
            inner[last] = value_of(place, inner[last])


def _secrets(record: BaseModel, path: str) -> Iterator[tuple[str, str]]:
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, SecretStr):
            yield path + name, value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value, f"{path}{name}.")


def without_kept(changes: Any) -> Any:
    """A merge patch without its ``{"set": true}``: what is shown for a secret leaves it as it is."""
    if not isinstance(changes, dict):
        return changes
    return {name: without_kept(value) for name, value in changes.items() if value != HIDDEN}
