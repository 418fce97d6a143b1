"""Calls: their records, those that live now, their SIP ladder, and the way to end one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from edge.admin.ports import Ports
from edge.admin.present import encode, many, one, page
from edge.admin.queries import ExportQuery, Instant, PageQuery, Phone, SubIdText, TagFilter, Text
from edge.admin.resources.lists import add_list
from edge.admin.routes import Exchange, Reply, Routes
from edge.admin.table import pages
from edge.model.decision import Disposition, HungUpBy
from edge.services.errors import NotFound
from edge.services.listing import Page
from edge.services.pcap import Message, pcap

CALLS = Routes("calls")
CSV_FILE = {"Content-Disposition": 'attachment; filename="calls.csv"'}
# Whole stories, which a cell is too small for.
_NOT_EXPORTED = {"decision", "attempts", "media"}


class CallFilter(BaseModel):
    """Finds calls; ``number`` is the number called, ``since`` and ``until`` bound ``started_at``, ``tag``
    is ``key:value``."""

    sort: Literal["started_at", "-started_at"] | None = None
    caller: Phone | None = None
    number: Phone | None = None
    number_id: Text | None = None
    campaign_id: Text | None = None
    publisher_id: Text | None = None
    sub_id: SubIdText | None = None
    pool_id: Text | None = None
    impression_id: Text | None = None
    trunk_id: Text | None = None
    target_id: Text | None = None
    buyer_id: Text | None = None
    tag: TagFilter | None = None
    disposition: Disposition | None = None
    hung_up_by: HungUpBy | None = None
    since: Instant | None = None
    until: Instant | None = None


class CallQuery(CallFilter, PageQuery):
    """Lists of calls."""


class CallExportQuery(CallFilter, ExportQuery):
    """Exports of calls."""


class StepRead(BaseModel):
    """One step of the decision: what it came to and why."""

    step: str
    result: str
    reason: str


class CandidateRead(BaseModel):
    """A target that was considered; ``odds`` is its share of being first in its tier, ``group_id`` the
    group that brought it."""

    target_id: str
    group_id: str | None = None
    tier: int
    odds: float
    result: str
    reason: str


class DecisionRead(BaseModel):
    """Why the call went where it went."""

    steps: list[StepRead]
    candidates: list[CandidateRead]


class AttemptRead(BaseModel):
    """One dial of one target; ``status`` is its final SIP status, 0 when there was none."""

    model_config = ConfigDict(extra="allow")

    target_id: str
    started_at: str | None
    status: int
    outcome: str
    reason: str
    sip_reason: str | None = None


class RecordingRead(BaseModel):
    """What was recorded of a call: ``ready`` to be downloaded, or why it ``failed``."""

    state: Literal["ready", "failed"]
    duration_s: float | None = None
    reason: str = ""


class CallRead(BaseModel):
    """A call's record.  What is not yet known of a live call is missing or null."""

    model_config = ConfigDict(extra="allow")

    id: str
    trunk_id: str | None = None
    number_id: str | None = None
    campaign_id: str | None = None
    publisher_id: str | None = None
    sub_id: str | None = None
    pool_id: str | None = None
    impression_id: str | None = None
    attribution: Literal["exact", "last_impression", "caller_affinity"] | None = None
    attribution_rivals: list[str] = []
    visitor_id: str | None = None
    tag_id: str | None = None
    landing_url: str | None = None
    first_url: str | None = None
    referrer: str | None = None
    time_to_call: int | None = None
    target_id: str | None = None
    buyer_id: str | None = None
    caller: str | None = None
    called: str | None = None
    attestation: Literal["A", "B", "C"] | None = None
    verstat: str | None = None
    attestation_by: Literal["carrier", "verified"] | None = None
    tags: dict[str, Any] = {}
    started_at: str | None = None
    answered_at: str | None = None
    connected_at: str | None = None
    ended_at: str | None = None
    disposition: str | None = None
    disposition_detail: str | None = None
    hung_up_by: str | None = None
    sip_reason: str | None = None
    decision: DecisionRead | None = None
    keys_pressed: str | None = None
    is_repeat: bool | None = None
    recording: RecordingRead | None = None
    voicemail: RecordingRead | None = None
    attempts: list[AttemptRead] = []
    media: dict[str, Any] = {}
    config_version: int | None = None


class TraceLine(BaseModel):
    """One SIP message: seconds since the call's arrival, from or to whom, and its start line."""

    at_s: float
    direction: Literal["in", "out"]
    peer: str
    message: str


class MessageRead(BaseModel):
    """One SIP message, whole: when, from where and to where.  Logins and keys are removed."""

    at: datetime
    source: str
    target: str
    text: str


class Ending(BaseModel):
    """The call is being ended."""

    id: str
    state: Literal["ending"] = "ending"


def _without_trace(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in record.items() if name != "trace"}


@CALLS.add("GET", "/calls", "List calls", query=CallQuery, answer=CallRead, shape="list")
async def listing(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.calls.list(exchange.query.listing())
    return await page(Page([_without_trace(call) for call in found.items], found.next_cursor), exchange)


@CALLS.add("GET", "/calls/export", "Export calls as CSV", query=CallExportQuery, shape="csv", slow=True)
async def export(ports: Ports, exchange: Exchange) -> Reply:
    columns = [name for name in CallRead.model_fields if name not in _NOT_EXPORTED]
    found = await pages(exchange.query.listing(), ports.calls.list, columns, _flat)
    return Reply(content_type="text/csv", headers=CSV_FILE, pieces=found)


def _flat(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record as a row: of tags the values that hold, of a recording its state."""
    tags = {key: tag.get("value") if isinstance(tag, dict) else tag for key, tag in call["tags"].items()}
    states = {kind: (call.get(kind) or {}).get("state") for kind in ("recording", "voicemail")}
    return {**call, **states, "tags": tags}


@CALLS.add("GET", "/calls/live", "List the calls that live now", answer=CallRead, shape="list")
async def live(ports: Ports, _exchange: Exchange) -> Reply:
    return await many([_without_trace(call) for call in await ports.calls.live()])


@CALLS.add("GET", "/calls/{id}", "Read a call's record", answer=CallRead)
async def read(ports: Ports, exchange: Exchange) -> Reply:
    return one(_without_trace(await ports.calls.get(exchange.parameters["id"])))


@CALLS.add(
    "GET", "/calls/{id}/trace", "Read a call's SIP ladder", answer=TraceLine, shape="list", also_text=True
)
async def trace(ports: Ports, exchange: Exchange) -> Reply:
    lines = await ports.calls.trace(exchange.parameters["id"])
    if "text/plain" in exchange.headers.get("Accept", ""):
        return Reply(ladder(lines).encode(), content_type="text/plain")
    return await many(lines)


@CALLS.add(
    "GET", "/calls/{id}/trace.pcap", "Download a call's SIP messages", shape="binary", access="operator"
)
async def capture(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.calls.messages(exchange.parameters["id"])
    if not found:
        raise NotFound("the messages of this call are kept no more")
    return Reply(pcap(found), content_type="application/vnd.tcpdump.pcap")


def _message(message: Message) -> MessageRead:
    at = datetime.fromtimestamp(message.at_s, UTC)
    ends = [f"{host}:{port}" for host, port in (message.source, message.target)]
    return MessageRead(at=at, source=ends[0], target=ends[1], text=message.data.decode("utf-8", "replace"))


add_list(
    CALLS,
    "/calls/{id}/messages",
    "Read a call's SIP messages",
    MessageRead,
    lambda ports, call_id: ports.calls.messages(call_id),
    _message,
    access="operator",
)


@CALLS.add("GET", "/calls/{id}/recording", "Listen to a recorded call", shape="binary", access="operator")
async def recording(ports: Ports, exchange: Exchange) -> Reply:
    return await _audio(ports, exchange, "recording")


@CALLS.add(
    "GET", "/calls/{id}/voicemail", "Listen to the message a caller left", shape="binary", access="operator"
)
async def voicemail(ports: Ports, exchange: Exchange) -> Reply:
    return await _audio(ports, exchange, "voicemail")


async def _audio(ports: Ports, exchange: Exchange, kind: Literal["recording", "voicemail"]) -> Reply:
    file = await ports.calls.recording(exchange.parameters["id"], kind)
    return Reply(file=file, headers={"Content-Type": "audio/wav", "Cache-Control": "private, no-store"})


@CALLS.add("POST", "/calls/{id}/hangup", "End a live call", answer=Ending, status=202)
async def hangup(ports: Ports, exchange: Exchange) -> Reply:
    call_id = exchange.parameters["id"]
    await ports.calls.hangup(call_id)
    return Reply(encode(Ending(id=call_id)), 202)


def ladder(lines: Sequence[Mapping[str, Any]]) -> str:
    """The SIP ladder as text: time, direction, peer and start line, one message a line."""
    arrows = {"in": "──▶ edge", "out": "◀── edge"}
    return "".join(
        f"{line['at_s']:9.3f} s  {line['peer']:<28} {arrows[line['direction']]}  {line['message']}\n"
        for line in lines
    )
