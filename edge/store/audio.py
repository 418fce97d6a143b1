"""Prompts' audio as files named by the hash of what was uploaded: written whole and synced, or not at all.

Everything here blocks: call it in a thread.
"""

import contextlib
import os
import re
import tempfile
from pathlib import Path

CODECS = ("PCMU", "PCMA")
_ORIGINAL = "original"


class AudioFiles:
    """The folder ``prompts`` in the data directory; made on first use.  Raises OSError."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "prompts"

    def save(self, sha256: str, original: bytes, frames: dict[str, bytes]) -> None:
        """Keeps the upload and what is played, by codec."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, octets in (*frames.items(), (_ORIGINAL, original)):
            self._write(self._path(sha256, name), octets)
        self._sync_folder()

    def frames(self, sha256: str) -> dict[str, bytes] | None:
        """What is played, by codec; None when a file is missing."""
        try:
            return {codec: self._path(sha256, codec).read_bytes() for codec in CODECS}
        except FileNotFoundError:
            return None

    def remove(self, sha256: str) -> None:
        """Forgets the audio."""
        for name in (*CODECS, _ORIGINAL):
            self._path(sha256, name).unlink(missing_ok=True)

    def _path(self, sha256: str, name: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError("a SHA-256 has 64 hexadecimal digits")
        return self._folder / f"{sha256}.{name}"

    def _write(self, path: Path, octets: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
