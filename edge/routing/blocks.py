"""Blocks, made ready to be asked for at every call: by scope and pattern, so that a caller is looked
for once for each length that some prefix has."""

from collections.abc import Iterable, Mapping

from edge.model.attestation import RANKS, Level
from edge.model.block import ANONYMOUS, ATTESTATION, Block
from edge.routing.table import Table


class Blocks:
    """Every block; an immutable value."""

    __slots__ = ("_by_id", "_by_key", "_lengths")

    def __init__(self, by_id: Table[Block], by_key: Table[Block], lengths: Mapping[int, int]) -> None:
        self._by_id = by_id
        self._by_key = by_key
        self._lengths = lengths

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> "Blocks":
        """These blocks."""
        known = {block.id: block for block in blocks}
        lengths: dict[int, int] = {}
        for block in known.values():
            _count(lengths, block, 1)
        return cls(Table.of(known), Table.of({_key(b): b for b in known.values()}), lengths)

    def changed(self, changes: Mapping[str, Block | None]) -> "Blocks":
        """These blocks with ``changes`` by id (None removes)."""
        keys: dict[str, Block | None] = {}
        lengths = dict(self._lengths)
        known: dict[str, Block | None] = {}
        for block_id, block in changes.items():
            old = self._by_id.get(block_id)
            if old is not None:
                keys[_key(old)] = None
                _count(lengths, old, -1)
            if block is not None:
                _count(lengths, block, 1)
            if block is not None or old is not None:
                known[block_id] = block
        keys |= {_key(block): block for block in known.values() if block is not None}
        if not known:
            return self
        return Blocks(self._by_id.changed(known), self._by_key.changed(keys), lengths)

    def __bool__(self) -> bool:
        return bool(self._lengths)

    def all(self) -> list[Block]:
        """Every block; costs a walk."""
        return self._by_id.values()

    def of_pattern(self, campaign_id: str | None, pattern: str) -> Block | None:
        """The block of just this pattern and scope."""
        return self._by_key.get(f"{campaign_id or ''}|{pattern}")

    def against(self, caller: str | None, campaign_id: str | None) -> Block | None:
        """The block that a caller (None: withheld) meets; ``campaign_id`` None asks for the account's."""
        if not self._lengths:
            return None
        if caller is None:
            return self.of_pattern(campaign_id, ANONYMOUS)
        exact = self.of_pattern(campaign_id, caller)
        if exact is not None:
            return exact
        found = (self.of_pattern(campaign_id, f"{caller[:length]}*") for length in self._lengths)
        return next((block for block in found if block is not None), None)

    def below_floor(self, attestation: Level, campaign_id: str | None) -> Block | None:
        """The block that refuses callers who are attested so low."""
        if not self._lengths:
            return None
        higher = (level for level in ("A", "B", "C") if RANKS[level] > RANKS[attestation])
        found = (self.of_pattern(campaign_id, ATTESTATION + level) for level in higher)
        return next((block for block in found if block is not None), None)


def _key(block: Block) -> str:
    return f"{block.campaign_id or ''}|{block.pattern}"


def _count(lengths: dict[int, int], block: Block, step: int) -> None:
    """How many blocks have digits of each length, the ``*`` not counted."""
    length = len(block.pattern.removesuffix("*"))
    lengths[length] = lengths.get(length, 0) + step
    if not lengths[length]:
        del lengths[length]
