"""Callers that are not served: a number, a prefix, or everyone who withholds the number."""

from typing import Annotated

from pydantic import StringConstraints

from edge.model.base import Record, Stored
from edge.model.types import ExternalId, Reference

ANONYMOUS = "anonymous"
ATTESTATION = "attestation:"


class BlockSpec(Record):
    """``pattern`` is an E.164 number, a prefix of one with ``*`` behind, ``anonymous``, or
    ``attestation:B`` for callers who are attested lower than that; without a campaign it holds for every
    call (Rule: blocks)."""

    pattern: Annotated[
        str,
        StringConstraints(pattern=r"^(\+[1-9]\d{0,14}\*|\+[1-9]\d{3,14}|anonymous|attestation:[ABC])$"),
    ]
    external_id: ExternalId | None = None
    campaign_id: Reference | None = None
    reason: Annotated[str, StringConstraints(max_length=200)] = ""


class Block(Stored, BlockSpec):
    """A stored block."""
