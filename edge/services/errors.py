"""The errors that a service raises: typed, in words for an operator, and free of secrets."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from edge.model.faults import faults


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: ``path`` such as ``caps[0].limit`` (empty: the whole object), and why."""

    path: str
    message: str


class ServiceError(Exception):
    """Base of everything a service refuses; ``str()`` of it may be shown to the operator."""


class NotFound(ServiceError):
    """No object of this kind has this id."""


class Invalid(ServiceError):
    """The object would be wrong; ``errors`` names each field."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.path}: {e.message}" if e.path else e.message for e in errors))
        self.errors = tuple(errors)


class Conflict(ServiceError):
    """The edit clashes with what is stored: a duplicate, or an object still in use."""


class Stale(ServiceError):
    """The object was changed since it was read: ``version`` is the stored one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the object has version {version} now; read it again and repeat the edit")
        self.version = version


class StaleBase(Stale):
    """The set-up was changed since the document was exported from it: ``base`` is its present one."""

    def __init__(self, version: int, given: str, base: str) -> None:
        super().__init__(version)
        self.args = (
            f"the set-up has changed since this file was exported: its base is {base} now, not {given}; "
            "export again and make your changes there",
        )
        self.base = base


class StoreDown(ServiceError):
    """The store can not answer now."""


def field_path(location: Sequence[int | str]) -> str:
    """A validation location as the API writes it: ``("caps", 0, "limit")`` is ``caps[0].limit``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """What pydantic found, at most 50 entries and without the values (they may be secrets)."""
    found = faults(error, include_context=False, include_input=False)[:50]
    return tuple(FieldError(field_path(e["loc"]), _words(e["type"], e["msg"])) for e in found)


def _words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field"
    return "is required" if kind == "missing" else message.removeprefix("Value error, ")
