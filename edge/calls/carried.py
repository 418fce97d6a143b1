"""Which parts of a body are passed on to somebody: no INVITE is refused because one must be understood."""

from itertools import chain

from edge.calls.ports import ConfigurationHolder
from edge.routing.snapshot import Snapshot


class Carried:
    """Whether a target or trunk has a media type among its ``body_allow``; looked for once in a snapshot."""

    def __init__(self, configuration: ConfigurationHolder) -> None:
        self._configuration = configuration
        self._kinds: tuple[Snapshot | None, frozenset[str]] = (None, frozenset())

    def __call__(self, kind: str) -> bool:
        """Asked only for a part that says it must be understood."""
        snapshot = self._configuration.current
        if self._kinds[0] is not snapshot:
            settings = chain(
                (target.sip for target in snapshot.targets()), (trunk.sip for trunk in snapshot.trunks())
            )
            self._kinds = (snapshot, frozenset(kind for sip in settings for kind in sip.body_allow))
        return kind in self._kinds[1]
