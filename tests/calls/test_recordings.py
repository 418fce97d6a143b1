"""Whether a call is recorded is said where it goes on: by forwards, and by keys of menus."""

from types import SimpleNamespace
from typing import Any

import pytest

from edge.calls.record import CallRecord
from edge.calls.recordings import CallRecordings
from edge.media.engine import Recorded
from edge.model.decision import Sounds
from tests.routing import world


class Tape:
    """A recording that only knows its end."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def hear(self, _leg: object, track: int) -> None:
        self.heard.append(track)

    async def finish(self) -> Recorded:
        return Recorded(2.5)


class Reception:
    """As much of a caller's side as recordings take: it has been answered, and hears what is played."""

    answered, hears = True, True
    media: Any
    services = SimpleNamespace(limits=SimpleNamespace(recording_max_s=60.0))

    def __init__(self) -> None:
        self.tapes: list[Tape] = []
        self.played: list[str | None] = []
        self.media = SimpleNamespace(can_record=True, record=self._record)

    def _record(self, *_: object) -> Tape:
        self.tapes.append(Tape())
        return self.tapes[-1]

    def listen(self) -> Any:
        return SimpleNamespace(media=None)

    async def answer_to_play(self) -> bool:
        return self.hears

    async def play(self, prompt_id: str | None, _built_in: str) -> None:
        self.played.append(prompt_id)


class Story:
    def __init__(self) -> None:
        self.record = CallRecord(world.facts(), 1)
        self.recordings = CallRecordings(self.record)
        self.reception: Any = Reception()

    async def goes_to(self, record: Any, consent: str | None = None) -> None:
        await self.recordings.prepare(self.reception, Sounds(record, consent))

    def is_bridged(self) -> list[list[int]]:
        """Who is on each tape then."""
        self.recordings.join(self.reception, self.reception.listen())
        return [tape.heard for tape in self.reception.tapes]


@pytest.fixture
def story() -> Story:
    return Story()


async def test_a_call_that_goes_on_to_where_nothing_is_recorded_is_not(story: Story) -> None:
    await story.goes_to("connect")
    await story.goes_to("off")
    assert story.is_bridged() == []


async def test_what_is_recorded_from_the_start_ends_there_and_is_kept(story: Story) -> None:
    await story.goes_to("start")
    await story.goes_to("off")
    assert story.is_bridged() == [[0]]
    assert story.record.recordings["recording"]["duration_s"] == 2.5
    await story.goes_to("connect")
    assert story.is_bridged() == [[0]], "another would be written over it"


async def test_the_message_of_where_it_goes_on_is_played_if_none_was(story: Story) -> None:
    await story.goes_to("connect")
    await story.goes_to("connect", "prm_1")
    await story.goes_to("connect", "prm_2")
    assert story.reception.played == ["prm_1"]
    assert story.is_bridged() == [[0, 1]]


async def test_who_can_not_hear_it_there_is_not_recorded(story: Story) -> None:
    await story.goes_to("connect")
    story.reception.hears = False
    await story.goes_to("connect", "prm_1")
    assert story.is_bridged() == []


async def test_it_may_begin_where_the_call_goes_on(story: Story) -> None:
    await story.goes_to("off")
    await story.goes_to("connect")
    await story.goes_to("start")
    assert [tape.heard for tape in story.reception.tapes] == [[0]]
    assert story.is_bridged() == [[0, 1]]
