"""Callers whom the account or a campaign does not serve (Rule: blocks)."""

from edge.model.block import Block
from edge.model.decision import CallFacts, Disposition, Refuse, Step
from edge.routing.blocks import Blocks
from edge.routing.refusal import refusal


def declined(
    facts: CallFacts, blocks: Blocks, steps: list[Step], number_id: str, campaign_id: str | None = None
) -> Refuse | None:
    """The refusal of a caller whom the account blocks, or the campaign if there is one; None of any other."""
    found = _met(facts, blocks, campaign_id) if blocks else None
    if found is None:
        return None
    block, disposition = found
    scope = "the campaign" if block.campaign_id else "the account"
    what = f"blocks {block.pattern}"
    if disposition == "rejected_attestation":
        attested = facts.attested
        what = f"wants {block.pattern}, this caller has {attested.level or attested.verstat or 'none'}"
    why = f"{scope} {what}" + (f": {block.reason}" if block.reason else "")
    steps.append(Step("blocks", "blocked", why))
    answer = refusal(disposition)
    return Refuse(answer.status, disposition, why, tuple(steps), number_id, campaign_id, answer.reason_header)


def _met(facts: CallFacts, blocks: Blocks, campaign_id: str | None) -> tuple[Block, Disposition] | None:
    """The account's blocks come first, and a caller's own before a floor."""
    scopes = (None,) if campaign_id is None else (None, campaign_id)
    for scope in scopes:
        block = blocks.against(facts.caller, scope)
        if block is not None:
            return block, "rejected_anonymous" if facts.caller is None else "rejected_blocked"
    for scope in scopes:
        block = blocks.below_floor(facts.attested.level, scope)
        if block is not None:
            return block, "rejected_attestation"
    return None
