"""What a page, a URL or a publisher says of a visit, made into tags (Rule: tags).

Keys that only the server may write are left out, and so is what would be too much.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from edge.model.tags import Tags, key_of, protected

MOST_KEYS: Final = 50
MOST_VALUES: Final = 10
_MOST_PAIRS: Final = 200
_VALUE: Final = 1000


def cleaned(data: Mapping[str, object]) -> tuple[dict[str, str | tuple[str, ...]], list[str]]:
    """The tags that may be kept of what was sent, and the keys that may not, at most ``MOST_KEYS`` each."""
    kept: dict[str, str | tuple[str, ...]] = {}
    ignored: list[str] = []
    for raw, value in data.items():
        key, text = key_of(raw), _text(value)
        if not key or protected(key) or text is None or (key not in kept and len(kept) >= MOST_KEYS):
            ignored.append(raw[:64])
        else:
            kept[key] = text
    return kept, ignored[:MOST_KEYS]


def of_url(url: str) -> dict[str, str | tuple[str, ...]]:
    """The parameters of a URL; one that comes several times has several values."""
    try:
        query = urlsplit(url).query
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PAIRS, errors="replace")
    except ValueError:
        return {}
    found: dict[str, list[str]] = {}
    for raw, value in pairs:
        found.setdefault(raw, []).append(value)
    kept, _ = cleaned({raw: values[0] if len(values) == 1 else values for raw, values in found.items()})
    return kept


def _text(value: object) -> str | tuple[str, ...] | None:
    if isinstance(value, list | tuple):
        texts = [_one(each) for each in value[:MOST_VALUES]]
        return tuple(text for text in texts if text is not None)
    return _one(value)


def _one(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)[:_VALUE].encode("utf-8", "replace").decode("utf-8")
    return None


def merged(*sources: Tags) -> dict[str, str | tuple[str, ...]]:
    """Later sources win."""
    return {key: value for source in sources for key, value in source.items()}
