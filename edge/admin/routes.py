"""The decorator that ties a path to its handler, its pydantic models and the role it needs."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from multidict import CIMultiDictProxy
from pydantic import BaseModel, ConfigDict

from edge.admin.ports import Ports
from edge.services.identity import Identity

Shape = Literal["object", "list", "none", "binary", "csv"]


class NoQuery(BaseModel):
    """Takes no query parameters: any is refused, for a misspelt filter must not go unseen."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Upload:
    """A ``multipart/form-data`` body: one file (or a field ``text`` instead of it) and its text fields."""

    file: bytes
    fields: Mapping[str, str]


@dataclass(slots=True)
class Exchange:
    """One request, checked: ``query`` and ``body`` are instances of the route's models (``body`` a
    plain mapping for a merge patch, an ``Upload`` for multipart)."""

    path: str
    parameters: Mapping[str, str]
    headers: CIMultiDictProxy[str]
    identity: Identity | None
    query: Any
    body: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers with; ``body`` is ready bytes, ``file`` or ``pieces`` what is sent instead."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    pieces: AsyncIterable[bytes] | None = None


Handler = Callable[[Ports, Exchange], Awaitable[Reply]]
Access = Literal["report_only", "operator", "admin"]
Body = Literal["json", "patch", "multipart", "csv", "document", "none"]


@dataclass(frozen=True, slots=True)
class Route:
    """A path (below the API's base), its method and everything that OpenAPI tells of it.

    ``access`` is the least role that may use it.  ``body_kind`` ``patch`` takes a JSON merge patch
    of ``body``, ``csv`` text, ``document`` the raw octets of a large one that ``body`` describes.
    ``slow`` gives it minutes instead of seconds.  ``answer`` describes the JSON answered, of the
    given ``shape``.  ``if_match``: a POST that edits one object, and may name its version.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    access: Access
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    body_kind: Body = "none"
    answer: type[BaseModel] | None = None
    shape: Shape = "object"
    status: int = 200
    also_text: bool = False
    slow: bool = False
    if_match: bool = False


class Options(TypedDict, total=False):
    """What ``Routes.add`` takes beside method, path and summary: the fields of ``Route``."""

    access: Access
    query: type[BaseModel]
    body: type[BaseModel]
    body_kind: Body
    answer: type[BaseModel]
    shape: Shape
    status: int
    also_text: bool
    slow: bool
    if_match: bool


class Routes:
    """The routes of one resource, gathered by ``@routes.add(...)``."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def add(
        self, method: str, path: str, summary: str, **more: Unpack[Options]
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated handler; GET needs ``report_only`` and others ``operator``
        unless ``access`` says otherwise."""
        more.setdefault("access", "report_only" if method == "GET" else "operator")

        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, path, handler, summary, self.tag, **more))
            return handler

        return register
