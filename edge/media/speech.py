"""Spoken prompts: text to a WAV file by espeak-ng, where it is installed, in a limited process."""

import asyncio
import resource
import shutil
from contextlib import suppress
from typing import Final

from edge.media.prompts import PromptError
from edge.media.transcode import MAX_BYTES

MAX_TEXT: Final = 2000
"""Characters: about two minutes."""
_PROGRAM: Final = "espeak-ng"
_VOICE: Final = ("-v", "en-us+f3", "-s", "150", "-p", "45", "-g", "2")
_HEADER: Final = 44
_WALL_CLOCK_S: Final = 20.0
_LIMITS: Final = (
    (resource.RLIMIT_CPU, 15),
    (resource.RLIMIT_AS, 512 * 1024 * 1024),
)


async def speak(text: str) -> bytes:
    """The text as a WAV file; raises PromptError, in words for whoever wrote it."""
    program = await asyncio.to_thread(shutil.which, _PROGRAM)
    if program is None:
        raise PromptError(f"this server has no {_PROGRAM} to speak it; install that, or upload a file")
    if not text.strip() or len(text) > MAX_TEXT:
        raise PromptError(f"write 1 to {MAX_TEXT} characters")
    # By stdin, so that no text is ever taken for an option.
    process = await asyncio.create_subprocess_exec(
        *(program, *_VOICE, "--stdin", "--stdout"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
    )
    with suppress(ProcessLookupError):
        for kind, most in _LIMITS:
            resource.prlimit(process.pid, kind, (most, most))
    return await _spoken(process, text)


async def _spoken(process: asyncio.subprocess.Process, text: str) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_WALL_CLOCK_S):
            with suppress(ConnectionError):  # it ended early: what it did not say tells
                process.stdin.write(text.encode())
                await process.stdin.drain()
            process.stdin.close()
            wav = await _read(process.stdout)
            code = await process.wait()
    except TimeoutError:
        raise PromptError(f"it took longer than {_WALL_CLOCK_S:.0f} s to speak") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0 or len(wav) <= _HEADER:
        raise PromptError("it could not be spoken within the limits of memory and time")
    return _measured(wav)


def _measured(wav: bytes) -> bytes:
    """With its true lengths: written to a pipe, the header only claims the longest there may be."""
    octets = len(wav) - _HEADER
    whole, data = (length.to_bytes(4, "little") for length in (octets + _HEADER - 8, octets))
    return wav[:4] + whole + wav[8 : _HEADER - 4] + data + wav[_HEADER:]


async def _read(stream: asyncio.StreamReader) -> bytes:
    collected = bytearray()
    while piece := await stream.read(1 << 16):
        collected += piece
        if len(collected) > MAX_BYTES:
            raise PromptError(f"spoken, it is larger than {MAX_BYTES // 1024**2} MB")
    return bytes(collected)
