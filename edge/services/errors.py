"""The errors that a service raises: typed, in words for an operator, and free of secrets."""

from collections.abc import Sequence
from dataclasses import dataclass


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


class StoreDown(ServiceError):
    """The store can not answer now."""
