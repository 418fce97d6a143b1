"""Prompts: uploads are playable at once and after a restart; built-in ones are there from the start."""

import io
import wave
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, Invalid, NotFound
from edge.services.prompts import PromptService
from edge.store.audio import AudioFiles
from edge.store.engine import Database
from edge.store.repository import Objects


class Loaded:
    """What a media engine would play."""

    def __init__(self) -> None:
        self.frames: dict[str, dict[str, bytes]] = {}

    async def load_prompt(self, prompt_id: str, frames: dict[str, bytes]) -> None:
        self.frames[prompt_id] = frames

    async def unload_prompt(self, prompt_id: str) -> None:
        del self.frames[prompt_id]

    def call(self) -> None:
        raise AssertionError


def wav(samples: int = 1600) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x00\x10\x00\xf0" * (samples // 2))
    return out.getvalue()


@pytest.fixture
def engine() -> Loaded:
    return Loaded()


@pytest.fixture
def prompts(service: ConfigurationService, tmp_path: Path, engine: Loaded) -> PromptService:
    return PromptService(service, AudioFiles(tmp_path), engine)  # type: ignore[arg-type]


async def test_an_upload_is_playable_at_once_and_after_a_restart(
    prompts: PromptService, engine: Loaded, database: Database, tmp_path: Path
) -> None:
    made = await prompts.upload("Greeting", wav(), "x")
    assert (made.name, made.external_id, made.duration_s) == ("Greeting", "x", 0.1)
    assert prompts.ready(made.id)
    frames = engine.frames[made.id]
    assert {codec: len(octets) for codec, octets in frames.items()} == {"PCMU": 800, "PCMA": 800}
    fresh = Loaded()
    async with ConfigurationService(Objects(database), SystemClock()) as again:
        restarted = PromptService(again, AudioFiles(tmp_path), fresh)  # type: ignore[arg-type]
        await restarted.load()
        assert fresh.frames[made.id] == frames
        assert restarted.ready("closed") and restarted.ready("prm_closed")
        assert again.current.prompt("prm_closed") is not None
        with pytest.raises(Conflict, match="comes with the product"):
            await restarted.delete("prm_closed", None)


async def test_the_audio_can_be_heard_again(prompts: PromptService) -> None:
    made = await prompts.upload("Greeting", wav())
    with wave.open(io.BytesIO(await prompts.audio(made.id))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 1, 800)
        assert max(file.readframes(800)) > 0


async def test_what_is_no_audio_is_refused_in_words(prompts: PromptService, engine: Loaded) -> None:
    with pytest.raises(Invalid) as caught:
        await prompts.upload("Broken", b"RIFF this is not a WAV file")
    assert caught.value.errors[0].path == "file"
    assert engine.frames == {}


async def test_a_deleted_prompt_is_gone_but_not_its_twin(
    prompts: PromptService, engine: Loaded, tmp_path: Path
) -> None:
    first, twin = await prompts.upload("One", wav()), await prompts.upload("Two", wav())
    await prompts.delete(first.id, None)
    assert (prompts.ready(first.id), prompts.ready(twin.id)) == (False, True)
    assert await prompts.audio(twin.id)
    with pytest.raises(NotFound):
        await prompts.audio(first.id)
    await prompts.delete(twin.id, 1)
    assert list((tmp_path / "prompts").iterdir()) == []
