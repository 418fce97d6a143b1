"""What the repositories raise; the services translate it for the operator."""

from dataclasses import dataclass


class StoreError(Exception):
    """Base of what a repository refuses."""


class Missing(StoreError):
    """No such object."""


class Outdated(StoreError):
    """The stored version is another than the one expected."""

    def __init__(self, version: int) -> None:
        super().__init__(f"stored version {version}")
        self.version = version


class Duplicate(StoreError):
    """Another object has this value of a unique field."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class BadCursor(StoreError):
    """The cursor is not one that the same list answered."""


class Down(StoreError):
    """The database can not read or write now; the text says why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of an object that names another: ``path`` such as ``routes.targets[0].target_id``."""

    path: str
    kind: str
    id: str


class Dangling(StoreError):
    """The object names others that do not exist."""

    def __init__(self, references: list[Reference]) -> None:
        super().__init__(", ".join(reference.path for reference in references))
        self.references = references


class InUse(StoreError):
    """Other objects name this one: ``users`` holds their kind, id and the path in them."""

    def __init__(self, users: list[Reference]) -> None:
        super().__init__(", ".join(f"{user.kind} {user.id}" for user in users))
        self.users = users
