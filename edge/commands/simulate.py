"""``edge simulate``: what would happen to a call, in plain words."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from edge.commands.client import Api
from edge.commands.failure import CommandFailed
from edge.model.decision import CandidateLine
from edge.routing.explain import explain_disposition, explain_line

Row = dict[str, Any]


def question(
    number: str, caller: str | None, at: str | None, tags: Sequence[str], keys: Sequence[str]
) -> Row:
    """The body of the request; raises CommandFailed for an option that says nothing."""
    asked: Row = {"number": number, "caller": caller, "keys": list(keys), "tags": _tags(tags)}
    if at is not None:
        asked["at"] = _instant(at)
    return asked


def _tags(given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise CommandFailed(f"--tag {text!r}: write it as KEY=VALUE", 2)
        found.setdefault(key, []).append(value)
    return found


def _instant(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandFailed(f"--at {text!r}: write a time such as 2026-11-22T09:00:00Z", 2) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


async def ask(api: Api, asked: Row) -> Row:
    """The server's answer."""
    return await api.post("/simulate", asked)


def told(answer: Row, names: dict[str, str]) -> Iterator[str]:
    """The answer, line by line; ``names`` are those of targets."""
    yield f"At {answer['at']}, configuration version {answer['config_version']}:"
    for step in answer["decision"]["steps"]:
        reason = f" ({step['reason']})" if step["reason"] else ""
        yield f"  {step['step']:<10} {step['result']}{reason}"
    for cap in answer["caps"]:
        limit = "any number" if cap["limit"] is None else cap["limit"]
        taken = f"{cap['taken']} of {limit} taken {cap['window']}".rstrip()
        yield f"  {'cap':<10} {cap['cap_id']}: {taken}"
    for row in answer["decision"]["candidates"]:
        shown = CandidateLine(**row)
        reason = "may be dialled" if shown.result == "eligible" else explain_line(shown)
        odds = f", {shown.odds:.0%} of being its tier's first" if shown.odds else ""
        yield f"  {'target':<10} {_name(shown.target_id, names)}: {reason} (tier {shown.tier}{odds})"
    if answer["prompts"]:
        yield f"  {'plays':<10} {', '.join(answer['prompts'])}"
    yield _end(answer, names)


def _end(answer: Row, names: dict[str, str]) -> str:
    if answer["result"] == "dialled":
        return "Dialled in this order: " + ", ".join(_name(target, names) for target in answer["order"])
    words = explain_disposition(answer["disposition"])
    refused = answer["result"] == "refused"
    return f"Refused with {answer['status']}: {words}" if refused else f"Announced: {words}"


def _name(target_id: str, names: dict[str, str]) -> str:
    return f"{names[target_id]} ({target_id})" if target_id in names else target_id


async def names_of(api: Api, decision: Row) -> dict[str, str]:
    """The names of the targets that a decision speaks of."""
    ids = {row["target_id"] for row in decision.get("candidates", ())}
    if not ids:
        return {}
    return {t["id"]: str(t["name"]) async for t in api.items("/targets", {}, 10_000) if t["id"] in ids}
