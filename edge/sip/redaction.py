"""SIP messages without their secrets, for whoever looks at them later: logins, call keys, media keys, and
what INFO tells of keys that are pressed, which may be a card's number."""

import re
from collections.abc import Iterable
from typing import Final

REMOVED: Final = b"(removed)"
# A header's value ends where its last folded line does.
_HEADER: Final = re.compile(
    rb"^((?:Proxy-)?Authorization|X-Edge-Call-Key)([ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.I | re.M
)
# A target's other headers may have the key in them, too.
_KEY: Final = re.compile(rb"^X-Edge-Call-Key[ \t]*:[ \t]*([0-9a-f]{32})[ \t]*\r?$", re.I | re.M)
_INLINE: Final = re.compile(rb"(inline:)[^\s|;]+", re.I)
_LINE: Final = re.compile(rb"^(k=|a=ice-pwd:|a=key-mgmt:)[^\r\n]*", re.I | re.M)


def without_secrets(data: bytes) -> bytes:
    """The message with ``(removed)`` in place of what proves or decrypts anything.

    Not for sending on: lengths are those of before.
    """
    if not may_have_secrets(data):
        return data
    if data.startswith(b"INFO "):
        head, blank, body = data.partition(b"\r\n\r\n")
        data = head + blank + (REMOVED if body else b"")
    if (key := _KEY.search(data)) is not None:
        data = data.replace(key[1], REMOVED)
    data = _HEADER.sub(rb"\1\2 " + REMOVED, data)
    data = _INLINE.sub(rb"\1" + REMOVED, data)
    return _LINE.sub(rb"\1" + REMOVED, data)


def without(secrets: Iterable[bytes], data: bytes) -> bytes:
    """The message with ``(removed)`` in place of these."""
    for secret in secrets:
        data = data.replace(secret, REMOVED)
    return data


def may_have_secrets(data: bytes) -> bool:
    """Whether there may be a secret in these octets, of one message or of several in a row.

    Spelt out, since most messages have none and every message is asked.
    """
    lowered = data.lower()
    return (
        b"authorization" in lowered
        or b"x-edge-call-key" in lowered
        or b"inline:" in lowered
        or b"\nk=" in lowered
        or b"a=ice-pwd:" in lowered
        or b"a=key-mgmt:" in lowered
        or b"info " in lowered
    )
