"""``edge doctor``: fetches a call and its ladder, and explains them."""

from edge.commands.calls import find
from edge.commands.client import Api
from edge.commands.explain import explain
from edge.commands.failure import CommandFailed
from edge.commands.simulate import names_of


async def diagnose(api: Api, call_id: str | None, query: dict[str, str]) -> list[str]:
    """The lines that explain the call of this id, or the newest that the query finds."""
    chosen = call_id or await _newest(api, query)
    call = await api.get(f"/calls/{chosen}")
    # The ladder of a live call can not be read yet.
    trace = await api.get(f"/calls/{chosen}/trace") if call.get("ended_at") else {"items": []}
    return list(explain(call, trace["items"], await names_of(api, call.get("decision") or {})))


async def _newest(api: Api, query: dict[str, str]) -> str:
    if not query:
        raise CommandFailed("name a call: edge doctor CALL_ID, or use --caller, --number or --since", 2)
    found = await find(api, query, 1)
    if not found:
        raise CommandFailed("no call fits; widen --caller, --number or --since")
    return str(found[0]["id"])
