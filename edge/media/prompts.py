"""Prompts: uploaded audio to what the media engine plays, and the prompts that come built in.

Audio is transcoded once, when it is uploaded, to raw 8 kHz octets of both G.711 laws: playing it
then costs no more than sending it.
"""

import asyncio
import hashlib
import json
import sys
import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from edge.media.transcode import MAX_BYTES

_WALL_CLOCK_S = 30.0
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


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
    output = await _run(data)
    line, _, octets = output.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError:
        raise PromptError("the audio could not be decoded within the limits of memory and time") from None
    if "error" in head:
        raise PromptError(f"the audio can not be used: {head['error']}")
    count = int(head["octets"])
    frames = {"PCMU": octets[:count], "PCMA": octets[count:]}
    return Transcoded(float(head["duration_s"]), frames, hashlib.sha256(data).hexdigest())


async def _run(data: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "edge.media.transcode",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_ENVIRONMENT,
    )
    try:
        async with asyncio.timeout(_WALL_CLOCK_S):
            output, _ = await process.communicate(data)
    except TimeoutError:
        raise PromptError(f"the audio took longer than {_WALL_CLOCK_S:.0f} s to decode") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output


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
