"""Prompts: uploaded audio to what the media engine plays, and the prompts that come built in.

Audio is transcoded once, when it is uploaded, to raw 8 kHz octets of both G.711 laws: playing it
then costs no more than sending it.
"""

import asyncio
import hashlib
import json
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from edge.media.transcode import MAX_BYTES

_WALL_CLOCK_S = 30.0
_PIECE = 262_144
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


_Made = tuple[dict[str, Any], dict[str, bytes]]


class PromptError(ValueError):
    """Audio that can not become a prompt; the text says why, in words for whoever uploaded it."""


@dataclass(frozen=True, slots=True)
class Transcoded:
    """A prompt ready to play: length in seconds, octets by codec name, hash of the uploaded bytes.

    One octet is one sample at 8 kHz, in ``frames["PCMU"]`` as in ``frames["PCMA"]``.
    """

    duration_s: float
    frames: dict[str, bytes]
    sha256: str


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A prompt that comes with the product: its name, the words spoken, its WAV file."""

    name: str
    text: str
    audio: bytes


async def transcode(data: bytes) -> Transcoded:
    """Any usual audio file (WAV, FLAC, Ogg, MP3, …; any rate) to G.711; raises PromptError.

    At most 20 MB and 10 minutes.  Several tracks are mixed to one; audio above -3 dBFS is turned
    down to it.  Runs in a limited process of its own, which sees none of our environment.
    """
    if len(data) > MAX_BYTES:
        raise PromptError(f"the audio is larger than {MAX_BYTES // 1024**2} MB")
    head, frames = await _run(data)
    if "error" in head:
        raise PromptError(f"the audio can not be used: {head['error']}")
    # 20 MB take longer to hash than the loop may be held up.
    digest = await asyncio.to_thread(hashlib.sha256, data)
    return Transcoded(float(head["duration_s"]), frames, digest.hexdigest())


async def _run(data: bytes) -> _Made:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "edge.media.transcode",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_ENVIRONMENT,
        limit=_PIECE,
    )
    try:
        async with asyncio.timeout(_WALL_CLOCK_S):
            await _write(process, data)
            return await _read(process)
    except (ValueError, asyncio.IncompleteReadError):
        raise PromptError("the audio could not be decoded within the limits of memory and time") from None
    except TimeoutError:
        raise PromptError(f"the audio took longer than {_WALL_CLOCK_S:.0f} s to decode") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _write(process: asyncio.subprocess.Process, data: bytes) -> None:
    """Piece by piece: 20 MB at once would hold the loop up."""
    assert process.stdin is not None
    with suppress(ConnectionError):  # it ended early: its output, if any, says why
        for at in range(0, len(data), _PIECE):
            process.stdin.write(data[at : at + _PIECE])
            await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> _Made:
    assert process.stdout is not None
    head: dict[str, Any] = json.loads(await process.stdout.readline())
    octets = int(head.get("octets", 0))
    frames = {law: await process.stdout.readexactly(octets) for law in ("PCMU", "PCMA")}
    await process.wait()
    return head, frames


def built_in_prompts() -> dict[str, BuiltIn]:
    """The prompts in ``prompts/``, by name: greeting, closed, unavailable, voicemail, press-1, …"""
    folder = _prompt_folder()
    texts = tomllib.loads(folder.joinpath("texts.toml").read_text("utf-8"))
    return {
        name: BuiltIn(name, text, folder.joinpath(f"{name}.wav").read_bytes()) for name, text in texts.items()
    }


def _prompt_folder() -> Traversable:
    """Inside an installed package, else beside it in a source checkout."""
    package = resources.files("edge")
    installed = package.joinpath("_prompts")
    return installed if installed.is_dir() else Path(str(package)).parent / "prompts"
