"""Secrets within records: how they are written in clear where they must be (the store, a merge patch)."""

from typing import Any

from pydantic import BaseModel, SecretStr


def in_clear(record: BaseModel, dumped: dict[str, Any]) -> dict[str, Any]:
    """``dumped`` (the record's own dump, or a part of it) with its secrets in clear, nested ones too."""
    for name, part in dumped.items():
        value = getattr(record, name)
        if isinstance(value, SecretStr):
            dumped[name] = value.get_secret_value()
        elif isinstance(value, BaseModel):
            in_clear(value, part)
    return dumped


def without_kept(changes: Any) -> Any:
    """A merge patch without its ``{"set": true}``: what is shown for a secret leaves it as it is."""
    if not isinstance(changes, dict):
        return changes
    return {name: without_kept(value) for name, value in changes.items() if value != {"set": True}}
