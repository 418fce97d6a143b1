"""Prompts: uploads made playable, those that come built in, and what the media engine has loaded."""

import asyncio
import hashlib
import io
import re
import wave
from collections.abc import Mapping
from typing import Any

from edge.logs import get_logger
from edge.media import speech
from edge.media.engine import MediaEngine
from edge.media.prompts import BuiltIn, PromptError, Transcoded, built_in_prompts, transcode
from edge.model.config import Prompt
from edge.services.configuration import ConfigurationService
from edge.services.errors import FieldError, Invalid, NotFound, StoreDown
from edge.services.listing import ListQuery
from edge.store.audio import AudioFiles

MAX_PROMPTS = 1000
_RATE_HZ = 8000
log = get_logger()


class PromptService:
    """Keeps the media engine's prompts equal to the configuration's.  Raises the services' errors.

    A built-in prompt is played by its name (``closed``); it is also an object of the
    configuration, ``prm_closed``, so that it can be chosen like any other.
    """

    def __init__(self, configuration: ConfigurationService, files: AudioFiles, engine: MediaEngine) -> None:
        self._configuration = configuration
        self._files = files
        self._engine = engine
        self._loaded: set[str] = set()
        # A transcoding takes a core for a second: one at a time leaves the other to the calls.
        self._one_at_a_time = asyncio.Semaphore(1)

    def ready(self, source: str) -> bool:
        """Whether the media engine can play this prompt id or built-in name."""
        return source in self._loaded

    async def load(self) -> None:
        """Loads everything into the engine: stored prompts, then the built-in ones (made once)."""
        for name, prompt in (await asyncio.to_thread(built_in_prompts)).items():
            await self._load_built_in(name, prompt)
        for item in await self._all():
            if not item.built_in:
                await self._load_stored(item)

    async def upload(self, name: str, audio: bytes, external_id: str | None = None) -> Prompt:
        """A new prompt out of any usual audio file; Invalid says what is wrong with it."""
        self._room_for_one()
        return await self._add(name, audio, external_id, None)

    def _room_for_one(self) -> None:
        if len(self._loaded) >= MAX_PROMPTS:
            raise Invalid([FieldError("", f"there are {MAX_PROMPTS} prompts; delete one that is not used")])

    async def _add(self, name: str, audio: bytes, external_id: str | None, text: str | None) -> Prompt:
        made = await self._transcoded(audio)
        await self._save(audio, made)
        fields = {"name": name, "external_id": external_id, "text": text, **_facts(made)}
        prompt = await self._configuration.add_prompt(fields)
        await self._play_as(prompt.id, made.frames)
        return prompt

    async def speak(self, name: str, text: str, external_id: str | None = None) -> Prompt:
        """A new prompt that says a text; Invalid where that can not be done."""
        self._room_for_one()
        async with self._one_at_a_time:
            try:
                audio = await speech.speak(text)
            except PromptError as error:
                raise Invalid([FieldError("text", str(error))]) from None
        return await self._add(name, audio, external_id, text)

    async def audio(self, prompt_id: str) -> bytes:
        """The prompt as a WAV file: 8 kHz, 16 bits, one track, as callers hear it."""
        prompt = await self._configuration.get("prompt", prompt_id)
        assert isinstance(prompt, Prompt)
        frames = await self._frames(prompt.sha256)
        if frames is None:
            raise NotFound("the audio of this prompt is gone; upload it again")
        return await asyncio.to_thread(_wav, frames["PCMU"])

    async def delete(self, prompt_id: str, expected_version: int | None) -> None:
        """Removes a prompt that nothing names; a call that plays it hears it to its end."""
        prompt = await self._configuration.get("prompt", prompt_id)
        await self._configuration.delete("prompt", prompt_id, expected_version)
        assert isinstance(prompt, Prompt)
        await self.forget(prompt)

    def stored(self, sha256: str) -> Mapping[str, Any] | None:
        """What a prompt of this audio has beside its name, if the audio is here.  Blocks."""
        frames = self._files.frames(sha256) if re.fullmatch(r"[0-9a-f]{64}", sha256) else None
        if frames is None:
            return None
        return {"duration_s": round(len(frames["PCMU"]) / _RATE_HZ, 3), "codecs": tuple(frames)}

    async def adopt(self, prompt: Prompt) -> None:
        """Makes a prompt ready that came with a set-up."""
        await self._load_stored(prompt)

    async def forget(self, before: Prompt) -> None:
        """Lets go of a prompt that is gone or has other audio now, and of audio that nothing names."""
        if self._configuration.current.prompt(before.id) is None:
            self._loaded.discard(before.id)
            await self._engine.unload_prompt(before.id)
        if all(other.sha256 != before.sha256 for other in await self._all()):
            await asyncio.to_thread(self._files.remove, before.sha256)

    async def _load_stored(self, prompt: Prompt) -> None:
        frames = await self._frames(prompt.sha256)
        if frames is None:
            log.error("the audio of a prompt is gone: callers will not hear it", prompt_id=prompt.id)
        else:
            await self._play_as(prompt.id, frames)

    async def _load_built_in(self, name: str, prompt: BuiltIn) -> None:
        known = self._configuration.current.prompt(f"prm_{name}")
        frames = await self._frames(known.sha256) if known is not None else None
        if known is None or frames is None or known.sha256 != await asyncio.to_thread(_sha256, prompt.audio):
            made = await self._transcoded(prompt.audio)
            await self._save(prompt.audio, made)
            facts = {"name": name, "text": prompt.text, "built_in": True, **_facts(made)}
            await self._configuration.put_built_in(f"prm_{name}", facts)
            frames = made.frames
        await self._play_as(name, frames)
        await self._play_as(f"prm_{name}", frames)

    async def _play_as(self, source: str, frames: dict[str, bytes]) -> None:
        await self._engine.load_prompt(source, frames)
        self._loaded.add(source)

    async def _transcoded(self, audio: bytes) -> Transcoded:
        async with self._one_at_a_time:
            try:
                return await transcode(audio)
            except PromptError as error:
                raise Invalid([FieldError("file", str(error))]) from None

    async def _save(self, audio: bytes, made: Transcoded) -> None:
        try:
            await asyncio.to_thread(self._files.save, made.sha256, audio, made.frames)
        except OSError as error:
            raise StoreDown(f"the prompt can not be written: {error.strerror}") from None

    async def _frames(self, sha256: str) -> dict[str, bytes] | None:
        return await asyncio.to_thread(self._files.frames, sha256)

    async def _all(self) -> list[Prompt]:
        found: list[Prompt] = []
        cursor: str | None = None
        while True:
            page = await self._configuration.list("prompt", ListQuery(cursor=cursor, limit=500))
            found += [item for item in page.items if isinstance(item, Prompt)]
            cursor = page.next_cursor
            if cursor is None:
                return found


def _facts(made: Transcoded) -> dict[str, Any]:
    return {"duration_s": made.duration_s, "codecs": tuple(made.frames), "sha256": made.sha256}


def _sha256(audio: bytes) -> str:
    return hashlib.sha256(audio).hexdigest()


def _wav(octets: bytes) -> bytes:
    # numpy behind it takes 25 MB, which a server that nobody listens to prompts on need not have.
    from edge.media import g711  # noqa: PLC0415

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(g711.decode("PCMU", octets).astype("<i2").tobytes())
    return out.getvalue()
