"""What a hostile peer writes into headers harms nobody who reads it: logs, records, the other side."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.raw_phone import RawPhone, Said
from tests.support.server import Server, finished, flawless_server, simple_route

NUMBER = "+18005550100"
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may have (RFC 3261 25.1), but the tab."""
EVERYTHING = {
    "trusted": True, "remote_party_id": True, "diversion": "make", "history_info": "make",
    "call_id": "correlate", "header_allow": ["User-to-User", "P-Attestation-Indicator"],
}  # fmt: skip
"""What a target may be told of a caller."""
_marks = itertools.count(1)

# Terminal commands in both tables of control characters, no UTF-8, writing from right to left, what becomes
# a line once it is decoded, markup.
EVIL = b"a\x1b[2J\x1b]0;x\x07\xc2\x9b2J\x7f\x00\xff\xfe\xe2\x80\xae\xe2\x80\xa8%0d%0aX-Injected:%201%00<b>z"
NAMED = EVIL.replace(b"<b>", b"")
PLACES: dict[str, list[bytes]] = {
    "From": [
        b'"%s" <sip:+12125550100@h>;tag=1' % EVIL, b"<sip:%s@h>;tag=1" % NAMED, b"<sip:x@%s>;tag=1" % NAMED,
    ],
    "To": [b'"%s" <sip:x@h>' % EVIL],
    "Call-ID": [NAMED],
    "P-Asserted-Identity": [
        b'"%s" <sip:+12125550100@h>' % EVIL, b"<sip:%s@h>" % NAMED, b"<sip:+1@h;verstat=%s>" % NAMED,
    ],
    "Privacy": [EVIL],
    "Diversion": [b"<sip:%s@h>;reason=%s" % (NAMED, EVIL)],
    "History-Info": [b"<sip:%s@h>;index=1" % NAMED],
    "User-to-User": [EVIL],
    "Reason": [b'Q.850;cause=16;text="%s"' % EVIL],
    "Contact": [b"<sip:%s@192.0.2.1>" % NAMED],
    "Identity": [b"%s;info=<https://h/%s>" % (EVIL, NAMED)],
    "Record-Route": [b"<sip:%s@192.0.2.1;lr>" % NAMED],
    "User-Agent": [EVIL],
    "Allow": [b"INVITE, " + EVIL],
    "P-Attestation-Indicator": [EVIL],
}  # fmt: skip


def invite(phone: RawPhone, name: str, value: bytes, user: bytes = NUMBER.encode()) -> bytes:
    """A call with one header of its own."""
    mark, here, body = b"m%d" % next(_marks), phone.address.encode(), phone.sdp().encode()
    headers = {
        "Via": b"SIP/2.0/UDP %s;branch=z9hG4bK%s;rport" % (here, mark), "Max-Forwards": b"70",
        "From": b"<sip:+12125550100@h>;tag=1", "To": b"<sip:x@h>", "Call-ID": mark, "CSeq": b"1 INVITE",
        "Contact": b"<sip:x@%s>" % here, "Content-Type": b"application/sdp", name: value,
    }  # fmt: skip
    lines = b"".join(b"%s: %s\r\n" % (key.encode(), text) for key, text in headers.items())
    return b"INVITE sip:%s@h SIP/2.0\r\n%sContent-Length: %d\r\n\r\n%s" % (user, lines, len(body), body)


def strings(found: object) -> Iterator[str]:
    """Every text in an answer of the API."""
    match found:
        case str():
            yield found
        case dict():
            yield from (text for pair in found.items() for one in pair for text in strings(one))
        case list():
            yield from (text for one in found for text in strings(one))


async def told(server: Server, calls: int) -> list[object]:
    """All that the API tells of the calls and of who was refused."""
    ids = [call["id"] for call in await finished(server.api, calls, limit="100")]
    each = [await server.api.get(f"calls/{call_id}{what}") for call_id in ids for what in ("", "/trace")]
    return [*each, await server.api.get("sip/refused")]


async def refused(pbx: RawPhone) -> Said:
    """The target declines a call, with a phrase of the same kind."""
    said = await pbx.hear("INVITE")
    await pbx.answer(said, 603, "", f"Reason: {EVIL.decode(errors='replace')}", phrase="Go \x1b[2J\x9b away")
    await pbx.hear("ACK")
    return said


async def test_hostile_headers_harm_no_reader(tmp_path: Path) -> None:
    async with flawless_server(tmp_path) as server:
        at, loop = server.sip["udp"], asyncio.get_running_loop()
        with RawPhone(at) as carrier, RawPhone(at) as pbx:
            made = await simple_route(server.api, caller_host=carrier.host, target=f"sip:b@{pbx.address}")
            await server.api.patch(f"targets/{made['target']['id']}", {"sip": EVERYTHING})
            values = [(name, value) for name, kinds in PLACES.items() for value in kinds]
            for name, value in values:
                await loop.sock_sendto(carrier.socket, invite(carrier, name, value), at)
                said = await refused(pbx)
                assert not any(line.lower().startswith("x-injected") for line in said.lines), name
                assert not CONTROL.search("".join(said.lines)), name
                assert (await carrier.hear("SIP/2.0 4", "SIP/2.0 6")).start.startswith("SIP/2.0 480"), name
            await loop.sock_sendto(carrier.socket, invite(carrier, "X", b"1", NAMED), at)
            await carrier.hear("SIP/2.0 400")
            for text in strings(await told(server, len(values))):
                assert text.isprintable() and len(text) < 1000, ascii(text)
        lines = server.log_path.read_text(encoding="utf-8").split("\n")
        assert all(line.isprintable() for line in lines)
        assert len([line for line in lines if line]) == len(server.log())
