"""The store's refusals in the operator's words."""

import contextlib
from collections.abc import Iterator

from edge.services.errors import Conflict, FieldError, Invalid, NotFound, Stale, StoreDown
from edge.store.errors import BadCursor, Dangling, Down, Duplicate, InUse, Missing, Outdated, Reference


@contextlib.contextmanager
def translated(what: str = "object") -> Iterator[None]:
    """Raises the errors of ``edge.services.errors`` for those of the store; ``what`` is the kind."""
    try:
        yield
    except Missing:
        raise NotFound(f"there is no such {what}") from None
    except Outdated as error:
        raise Stale(error.version) from None
    except Duplicate as error:
        raise Conflict(f"another {what} has this {error.field}") from None
    except Dangling as error:
        raise Invalid([_dangling(reference) for reference in error.references]) from None
    except InUse as error:
        users = ", ".join(f"{user.kind} {user.id} ({user.path})" for user in error.users)
        raise Conflict(f"this {what} is in use by {users}; change that first") from None
    except BadCursor as error:
        raise Invalid([FieldError("cursor", str(error))]) from None
    except Down as error:
        raise StoreDown(f"the database can not answer now: {error}") from None


def _dangling(reference: Reference) -> FieldError:
    return FieldError(reference.path, f"there is no {reference.kind} with the id {reference.id[:100]!r}")
