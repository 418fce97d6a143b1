"""The simulator: what would happen to a call, and why.  Nothing is dialled or changed."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from edge.admin.ports import Ports
from edge.admin.present import encode
from edge.admin.resources.calls import CandidateRead, StepRead
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.decision import Announce, CandidateLine, Refuse
from edge.model.menu import Key
from edge.model.types import E164, Moment, Reference, TagKey, TagValue, TagValues
from edge.services.simulation import Answer, Simulated

SIMULATE = Routes("simulate")


SomeTags = Annotated[dict[TagKey, TagValue | TagValues], Field(max_length=100)]


class SimulateSpec(Record):
    """A call to think of: ``caller`` null is withheld, ``at`` null is now.

    ``tags`` come on top of the number's own, which win; ``answers`` are tags that a webhook would
    answer with before the call is routed; ``keys`` are pressed in menus in turn; the same ``seed``
    draws the same order again.
    """

    number: E164
    caller: E164 | None = None
    at: Moment | None = None
    tags: SomeTags = Field(default_factory=dict)
    answers: SomeTags = Field(default_factory=dict)
    keys: Annotated[tuple[Key, ...], Field(max_length=50)] = ()
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    attestation: Literal["A", "B", "C"] | None = None
    impression_id: Reference | None = Field(
        default=None, description="The visit that a call to a number of a pool belongs to."
    )


class HeadroomRead(BaseModel):
    """A slot that the call would take at its arrival, and what is taken of that window now; ``limit`` null:
    unlimited."""

    cap_id: str
    owner_id: str
    window: str
    limit: int | None
    taken: int


class ForecastDecision(BaseModel):
    """The decision, as in a call's record."""

    steps: list[StepRead]
    candidates: list[CandidateRead]


class SimulationRead(BaseModel):
    """Where the call comes to.

    ``result`` ``refused`` (before an answer, with ``status``), ``announced`` (a message, then the end)
    or ``dialled``: ``order`` holds the targets in the order of this draw, the first taken to answer.
    ``disposition`` is null while it depends on the targets.
    """

    result: Literal["refused", "announced", "dialled"]
    status: int | None
    disposition: str | None
    detail: str
    order: list[str]
    prompts: list[str]
    caps: list[HeadroomRead]
    decision: ForecastDecision
    at: datetime
    seed: int
    config_version: int


@SIMULATE.add(
    "POST",
    "/simulate",
    "Tell what would happen to a call, and why",
    body=SimulateSpec,
    body_kind="json",
    answer=SimulationRead,
    access="report_only",
)
async def simulate(ports: Ports, exchange: Exchange) -> Reply:
    asked: SimulateSpec = exchange.body
    level = asked.attestation or ""
    link = None
    if asked.impression_id is not None:
        link = await ports.pools.view.link(asked.impression_id)
    call = Simulated(
        asked.number, asked.caller, asked.at, asked.tags, asked.keys, asked.seed, level, link, asked.answers
    )
    return Reply(encode(_shown(await ports.simulation.simulate(call))))


def _shown(answer: Answer) -> SimulationRead:
    told = answer.forecast
    end = told.admission
    ended = isinstance(end, Refuse | Announce)
    return SimulationRead(
        result="refused" if isinstance(end, Refuse) else "announced" if ended else "dialled",
        status=end.status if isinstance(end, Refuse) else None,
        disposition=end.disposition if isinstance(end, Refuse | Announce) else end.base_disposition,
        detail=end.detail if isinstance(end, Refuse | Announce) else "",
        order=[candidate.target_id for candidate in told.candidates],
        prompts=list(told.prompts),
        caps=[HeadroomRead.model_validate(cap, from_attributes=True) for cap in answer.caps],
        decision=ForecastDecision(
            steps=[StepRead.model_validate(step, from_attributes=True) for step in told.steps],
            candidates=[_candidate(line) for line in told.lines],
        ),
        at=answer.at,
        seed=answer.seed,
        config_version=answer.config_version,
    )


def _candidate(line: CandidateLine) -> CandidateRead:
    return CandidateRead(
        target_id=line.target_id,
        group_id=line.group_id,
        tier=line.tier,
        odds=round(line.odds, 4),
        result=line.result,
        reason=line.reason,
    )
