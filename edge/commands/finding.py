"""What ``edge check`` found: one line, and how to mend it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """``level`` ``fail`` keeps the server from working (exit code 1), ``warn`` from working well."""

    level: Literal["ok", "warn", "fail"]
    text: str
    remedy: str = ""
