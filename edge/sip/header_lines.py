"""A message's header lines, in order and found by name (RFC 3261 section 7.3)."""

from collections.abc import Iterator

from edge.sip.grammar import KNOWN_NAMES, canonical, split_list


class Headers:
    """Ordered (name, value) pairs; names in canonical long form (``Via``, ``Call-ID``).

    Names compare case-insensitively and compact forms are expanded when parsed.  A header that
    arrived folded is one line; values that arrived comma-separated stay as they arrived:
    ``values`` splits them where the grammar allows (never inside quotes or <>).  ``items`` may be
    read and written freely; who writes to it keeps the names canonical.

    ``by_name`` has each line's value by canonical name and in order, not to be written to from outside;
    None when a name came twice, or lines were written.
    """

    # Most messages name each header once.  They are held by name alone until somebody wants the list;
    # who has the list may write to it, so then it is all there is.
    __slots__ = ("_items", "by_name")

    def __init__(
        self, items: list[tuple[str, str]] | None = None, by_name: dict[str, str] | None = None
    ) -> None:
        self._items: list[tuple[str, str]] = [] if items is None else items
        self.by_name = by_name

    @property
    def items(self) -> list[tuple[str, str]]:
        """All lines."""
        lines = self.by_name
        if lines is not None:
            self._items = list(lines.items())
            self.by_name = None
        return self._items

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first line's whole value."""
        lines = self.by_name
        if lines is not None and name in lines:
            return lines[name]
        known = KNOWN_NAMES.get(name)
        if known is None:
            return next(iter(self.all(name)), default)
        if lines is not None:
            return lines.get(known, default)
        for key, value in self._items:
            if key == known:
                return value
        return default

    def all(self, name: str) -> list[str]:
        """Every line's value, unsplit, in order."""
        known = KNOWN_NAMES.get(name)
        if known is not None:
            if self.by_name is not None:
                value = self.by_name.get(known)
                return [] if value is None else [value]
            return [value for key, value in self._items if key == known]
        wanted = canonical(name).lower()
        return [value for key, value in self if key.lower() == wanted]

    def values(self, name: str) -> list[str]:
        """Every comma-separated element of every line, in order."""
        lines = self.all(name)
        if not lines:
            return lines
        if len(lines) == 1:
            return split_list(lines[0])
        return [element for line in lines for element in split_list(line)]

    def add(self, name: str, value: str) -> None:
        """Appends a line."""
        self.items.append((canonical(name), value))

    def set(self, name: str, value: str) -> None:
        """Replaces all lines of that name by one, at the first one's place."""
        key = canonical(name)
        at = self._index(key)
        if at < 0:
            self.items.append((key, value))
            return
        self.remove(name)
        self._items.insert(at, (key, value))

    def set_first(self, name: str, value: str) -> None:
        """Replaces the first line of that name (a canonical one), which there must be."""
        if self.by_name is not None:
            self.by_name[name] = value
        else:
            self._items[self._index(name)] = (name, value)

    def remove(self, name: str) -> None:
        """Removes every line of that name."""
        wanted = canonical(name).lower()
        self._items = [item for item in self.items if item[0].lower() != wanted]

    def _index(self, name: str) -> int:
        wanted = name.lower()
        return next((at for at, item in enumerate(self.items) if item[0].lower() == wanted), -1)

    def __contains__(self, name: str) -> bool:
        lines = self.by_name
        if lines is not None and name in KNOWN_NAMES:
            return KNOWN_NAMES[name] in lines
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items if self.by_name is None else self.by_name.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"
