"""What commands show on a terminal: values of the outside world as JSON, and that long work goes on."""

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# JSON itself escapes what is below the space.  These style, hide or turn round what a terminal shows,
# or are none of the characters that YAML takes as they are.
_UNPRINTED = re.compile(
    "[\\x7f-\\x9f\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff]"
)


def one_line(value: Any) -> str:
    """JSON on one line that does nothing to a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Shows on a terminal that the work goes on, and for how long; nothing where errors go elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        shown.add_task(what, total=None)
        yield
