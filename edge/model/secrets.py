"""Secrets within records: how they are written in clear where they must be, and hidden elsewhere."""

from collections.abc import Iterator
from typing import Any

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
