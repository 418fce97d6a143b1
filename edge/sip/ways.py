"""Where dialogs go on, if not where they came from or went to: known as long as one of them lives.

Whoever talks to us names such hosts (in Contact and Record-Route), at will: they take the place of nobody
whom the configuration knows, and nothing is left of them once their dialogs are over.
"""

from weakref import WeakValueDictionary


class Way:
    """What a dialog keeps while its requests go to a host; others to that host keep the same one."""

    __slots__ = ("__weakref__",)


class Ways:
    """The hosts that dialogs go on to; never more than there are dialogs."""

    def __init__(self) -> None:
        self._kept: WeakValueDictionary[str, Way] = WeakValueDictionary()

    def toward(self, host: str) -> Way:
        """What keeps a host known: to be held as long as it shall be."""
        return self._kept.setdefault(host, Way())

    def __contains__(self, host: str) -> bool:
        return host in self._kept
