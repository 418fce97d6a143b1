"""The prompts that workers may be told to play, each in a memory file that all of them map."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from edge.media import control


@dataclass(frozen=True, slots=True)
class Stored:
    """A prompt by its number in the control protocol; ``fd`` holds PCMU, then PCMA."""

    number: int
    fd: int
    pcmu: int
    pcma: int

    @property
    def frame(self) -> bytes:
        """What tells a worker of it, beside the descriptor."""
        return control.encode_load(self.number, self.pcmu, self.pcma)


class Library:
    """Prompts by their id.  Closing it gives the memory back; a worker that plays one keeps its own."""

    def __init__(self) -> None:
        self._stored: dict[str, Stored] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Stored]:
        return iter(self._stored.values())

    def get(self, prompt_id: str) -> Stored | None:
        """The prompt, None when it is not loaded."""
        return self._stored.get(prompt_id)

    def put(self, prompt_id: str, frames: dict[str, bytes]) -> Stored:
        """Stores a prompt under a new number; raises ValueError without octets for both codecs."""
        pcmu, pcma = frames.get("PCMU", b""), frames.get("PCMA", b"")
        if not pcmu or not pcma:
            raise ValueError(f"prompt {prompt_id} has no audio for PCMU or for PCMA")
        fd = os.memfd_create(f"edge-prompt-{self._last}", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(pcmu)
            file.write(pcma)
        self._last += 1
        stored = self._stored[prompt_id] = Stored(self._last, fd, len(pcmu), len(pcma))
        return stored

    def pop(self, prompt_id: str) -> Stored | None:
        """Takes a prompt out; the caller closes it."""
        return self._stored.pop(prompt_id, None)

    def close(self) -> None:
        """Closes every memory file."""
        for stored in self._stored.values():
            os.close(stored.fd)
        self._stored.clear()
