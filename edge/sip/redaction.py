"""SIP messages without their secrets, for whoever looks at them later: logins, call keys, media keys, and
what INFO tells of keys that are pressed, which may be a card's number."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

_KEY_MARK: Final = b"x-edge-call-key"
_MARKS: Final = (b"authorization", _KEY_MARK, b"inline:", b"\nk=", b"a=ice-pwd:", b"a=key-mgmt:")
"""One of these, in lower case, is wherever there is a secret that is no pressed key's."""
_INFO: Final = b"INFO "
REMOVED: Final = b"(removed)"
# Of a call whose key is known it is gone already: nothing is left to look for.
_GONE: Final = b": " + REMOVED + b"\r\n"
# A header's value ends where its last folded line does.
_HEADER: Final = re.compile(
    rb"^((?:Proxy-)?Authorization|X-Edge-Call-Key)([ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.I | re.M
)
# A target's other headers may have the key in them, too.
_KEY: Final = re.compile(rb"^X-Edge-Call-Key[ \t]*:[ \t]*([0-9a-f]{32})[ \t]*\r?$", re.I | re.M)
_TELLING: Final = 8
"""Characters by which a secret that was cut short is still known."""
_INLINE: Final = re.compile(rb"(inline:)[^\s|;]+", re.I)
_LINE: Final = re.compile(rb"^(k=|a=ice-pwd:|a=key-mgmt:)[^\r\n]*", re.I | re.M)


def without_secrets(data: bytes) -> bytes:
    """The message with ``(removed)`` in place of what proves or decrypts anything.

    Not for sending on: lengths are those of before.
    """
    return all_without_secrets([data])[0]


def without(secrets: Iterable[bytes], data: bytes) -> bytes:
    """The message with ``(removed)`` in place of these."""
    for secret in secrets:
        data = data.replace(secret, REMOVED)
    return data


def without_traces(secrets: Iterable[bytes], text: str) -> str:
    """The text with ``(removed)`` in place of these, and of what is left of one that was cut short."""
    for secret in secrets:
        whole = secret.decode()
        begins, rest = whole[:_TELLING], whole[_TELLING:]
        if begins.lower() in text.lower():
            # As much of the rest as is there, character by character.
            more = "".join(f"(?:{re.escape(one)}" for one in rest) + ")?" * len(rest)
            text = re.sub(re.escape(begins) + more, REMOVED.decode(), text, flags=re.I)
    return text


def all_without_secrets(messages: Sequence[bytes]) -> Sequence[bytes]:
    """Several messages, as ``without_secrets`` leaves each: looked for in all at once, at half the price.

    Most have none, and every message is asked.
    """
    ends = list(accumulate(map(len, messages)))
    marked = set(_marked(b"".join(messages).lower(), ends))
    marked.update(place for place, one in enumerate(messages) if one[:5] == _INFO)
    if not marked:
        return messages
    return [_cleared(one) if place in marked else one for place, one in enumerate(messages)]


def _marked(lowered: bytes, ends: Sequence[int]) -> Iterator[int]:
    """Which of the messages that end there, one after the other, may have a secret."""
    for mark in _MARKS:
        at = lowered.find(mark)
        while at >= 0:
            place = bisect_right(ends, at)
            if mark is _KEY_MARK and _is_gone(lowered, at + len(mark)):
                at = lowered.find(mark, at + len(mark))
                continue
            yield place
            at = lowered.find(mark, ends[place])


def _is_gone(lowered: bytes, at: int) -> bool:
    """Whether the value of the header whose name ends there has been removed, all of it."""
    after = at + len(_GONE)
    return lowered.startswith(_GONE, at) and lowered[after : after + 1] not in (b" ", b"\t")


def _cleared(data: bytes) -> bytes:
    if data.startswith(_INFO):
        head, blank, body = data.partition(b"\r\n\r\n")
        data = head + blank + (REMOVED if body else b"")
    if (key := _KEY.search(data)) is not None:
        data = data.replace(key[1], REMOVED)
    data = _HEADER.sub(rb"\1\2 " + REMOVED, data)
    data = _INLINE.sub(rb"\1" + REMOVED, data)
    return _LINE.sub(rb"\1" + REMOVED, data)
