"""What would happen to a call: the very functions of the decision, told from beginning to end.

Nothing is reserved, dialled or written.  Every target is taken to answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from edge.model.callers import NO_PAST, CallerPast
from edge.model.decision import (
    Admission,
    Announce,
    CallFacts,
    Candidate,
    CandidateLine,
    CapClaim,
    Proceed,
    Step,
)
from edge.model.menu import Menu
from edge.model.visits import Said
from edge.routing.admit import admit
from edge.routing.caps import Counts
from edge.routing.choose import Draw, choose
from edge.routing.exhaust import exhausted
from edge.routing.linking import campaign_of, with_visit, writes_of
from edge.routing.menu import picked, unanswered
from edge.routing.snapshot import Snapshot
from edge.routing.tags import tagged


@dataclass(frozen=True, slots=True)
class Question:
    """A call that is only thought of: ``tags`` come on top of the number's own, which win; ``keys`` are
    pressed in menus, one after the other; ``answers`` are the tags of a webhook's answer; ``said`` is what
    was said of its caller to a campaign."""

    facts: CallFacts
    tags: Mapping[str, str | tuple[str, ...]]
    keys: Sequence[str] = ()
    answers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    said: Callable[[str | None], Said | None] = lambda _campaign_id: None


@dataclass(frozen=True, slots=True)
class Forecast:
    """``admission`` is where the call comes to: refused, announced, or dialled (``candidates``, in the
    order of this draw).  ``claims`` are the slots that it would take at its arrival."""

    admission: Admission
    steps: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    lines: tuple[CandidateLine, ...]
    claims: tuple[CapClaim, ...]
    prompts: tuple[str, ...]


class _Story:
    """Collects what the steps of one forecast said."""

    def __init__(
        self, question: Question, snapshot: Snapshot, counts: Counts, draw: Draw, past: CallerPast
    ) -> None:
        self.question = question
        self.snapshot = snapshot
        self.counts = counts
        self.draw = draw
        self.past = past
        self.steps: list[Step] = []
        self.lines: list[CandidateLine] = []
        self.prompts: list[str] = []
        self.keys = list(question.keys)

    def tell(self, now: datetime) -> Forecast:
        """The whole forecast; what is taken when no target is left is followed once, as in a call."""
        facts = self.question.facts
        admission = admit(facts, self.snapshot, self.counts)
        writes = writes_of(facts.link, self.question.said(campaign_of(admission, self.snapshot)))
        admission = with_visit(admission, self.snapshot, writes)
        claims = admission.claims if isinstance(admission, Proceed) else ()
        candidates: tuple[Candidate, ...] = ()
        while isinstance(admission, Proceed):
            admission = self._through_menus(admission)
            if not isinstance(admission, Proceed):
                break
            choice = choose(
                admission, self.question.facts, self.snapshot, self.counts, now, self.draw, past=self.past
            )
            self.lines.extend(choice.lines)
            candidates = choice.candidates
            if candidates:
                break
            admission = exhausted(admission, self.snapshot, self.lines, ())
        steps = (*admission.steps, *self.steps)
        if isinstance(admission, Announce):
            self.prompts.append(admission.prompt_id or admission.built_in)
        return Forecast(admission, steps, candidates, tuple(self.lines), claims, tuple(self.prompts))

    def _through_menus(self, proceed: Proceed) -> Admission:
        """Presses the keys; a menu that is asked when none is left gets no answer."""
        number = self.snapshot.number_by_id(proceed.number_id)
        own = number.tags if number is not None else {}
        at = self.question.facts.arrived_at
        proceed = tagged(proceed, own, "page", self.question.tags, at)
        admission: Admission = tagged(proceed, own, "webhook", self.question.answers, at)
        while isinstance(admission, Proceed):
            if admission.greeting_prompt_id is not None:
                self.prompts.append(admission.greeting_prompt_id)
            if admission.menu is None:
                return admission
            self.prompts.append(admission.menu.prompt_id)
            admission = self._press(admission, admission.menu)
        return admission

    def _press(self, proceed: Proceed, menu: Menu) -> Admission:
        plays = menu.repeat + 1
        while self.keys and plays > 0:
            digit = self.keys.pop(0)
            key = menu.keys.get(digit)  # type: ignore[call-overload]
            if key is None:
                plays -= 1
                self.steps.append(Step("menu", f"key {digit}", "not in the menu"))
            elif not key.replay:
                return picked(proceed, self.snapshot, digit, key, self.question.facts.arrived_at)
        return unanswered(proceed, self.snapshot, menu)


def forecast(  # noqa: PLR0917 - the decision's inputs, each of another kind
    question: Question,
    snapshot: Snapshot,
    counts: Counts,
    now: datetime,
    draw: Draw,
    past: CallerPast = NO_PAST,
) -> Forecast:
    """What becomes of a call that arrives, and is dialled, at ``now`` (aware)."""
    return _Story(question, snapshot, counts, draw, past).tell(now)
