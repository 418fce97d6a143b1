"""A small DNS server over UDP: answers from a table, counts the questions, may keep silent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = MutableMapping[tuple[str, str], list[str]]
TTL = 60


class DnsServer(asyncio.DatagramProtocol):
    """``zone`` maps (name, type) to records as a zone file writes them, and may be changed.

    ``silent`` questions get no answer; ``broken`` types are answered SERVFAIL.
    """

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.broken: set[str] = set()
        self.ttl = TTL
        self.address = ""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if not self.silent:
            self._transport.sendto(self._answer(query, name, kind).to_wire(), addr)

    def _answer(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        records = self.zone.get((name, kind))
        if kind in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *records))
        elif not any(owner == name for owner, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


@asynccontextmanager
async def dns_server(zone: Zone) -> AsyncIterator[DnsServer]:
    """A running server on a free loopback port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: DnsServer(zone), ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
