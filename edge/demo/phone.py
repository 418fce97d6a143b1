"""A scripted phone in a process of its own: ``python -m edge.demo.phone call|answer …``.

Real SIP over UDP, real RTP: it sends one tone and says how much of another it has heard.  What
happens is told on stdout, one JSON object a line with its ``event``: ready, called, ringing,
answered, key, offered_again, refused, cancelled, ended, heard.  It ends with its call (``call``), or
when its stdin is closed, so that it never outlives whoever started it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from edge.clock import SystemClock
from edge.demo.telephone import Script, Tell, place_call, take_call
from edge.sip.endpoint import Endpoint, EndpointConfig, Listen
from edge.sip.events import Allow, Deny, Flow
from edge.sip.invite import Invite
from edge.sip.message import Request

_GOODBYES_S = 2.0


class Anyone:
    """The access policy of a phone: it takes every call."""

    answers_strangers = False

    def judge(self, _request: Request, _flow: Flow) -> Allow | Deny:
        return Allow("peer")

    def moved(self, _request: Request, _flow: Flow, _peer_id: str) -> None:
        """Nobody is asked to log in."""


def main() -> None:
    """Runs the phone that the command line describes."""
    arguments = _parser().parse_args()
    script = Script(
        tone=arguments.tone,
        listen_for=tuple(arguments.listen_for or [700]),
        codecs=tuple(arguments.codecs.split(",")),
        key_payload=arguments.key_payload,
        press=arguments.press,
        enough_s=arguments.enough_s,
        at_most_s=arguments.at_most_s,
        ring_s=getattr(arguments, "ring_s", 0.0),
        status=getattr(arguments, "status", 200),
    )
    asyncio.run(_call(arguments, script) if arguments.mode == "call" else _answer(arguments, script))


def _parser() -> argparse.ArgumentParser:
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--host", default="127.0.0.1", help="address to use")
    both.add_argument("--tone", type=int, default=500, help="Hz to send")
    both.add_argument("--listen-for", type=int, action="append", help="Hz to listen for; repeatable")
    both.add_argument("--codecs", default="PCMU,PCMA", help="codecs to speak")
    both.add_argument("--press", default="", help="keys to press when that is first heard")
    both.add_argument("--key-payload", type=int, help="payload number to ask for key presses by")
    both.add_argument("--enough-s", type=float, default=0.0, help="hang up after hearing that for so long")
    both.add_argument("--at-most-s", type=float, default=60.0, help="hang up after so long in all")
    parser = argparse.ArgumentParser(prog="python -m edge.demo.phone")
    modes = parser.add_subparsers(dest="mode", required=True)
    call = modes.add_parser("call", parents=[both], help="place one call")
    call.add_argument("--to", required=True, help="SIP URI")
    call.add_argument("--caller", default="+14155550123", help="number to call from")
    answer = modes.add_parser("answer", parents=[both], help="take calls until stdin is closed")
    answer.add_argument("--ring-s", type=float, default=0.3, help="ring for so long before answering")
    answer.add_argument("--status", type=int, default=200, help="answer with this status")
    return parser


async def _call(arguments: argparse.Namespace, script: Script) -> None:
    async with Endpoint(_config(arguments.host), SystemClock(), Anyone(), _busy) as endpoint:
        _tell("ready", address=_address(endpoint))
        talking = asyncio.create_task(
            place_call(endpoint, arguments.host, script, _tell, to=arguments.to, caller=arguments.caller)
        )
        async with _until_stdin_closes(talking):
            await asyncio.wait([talking])
        if not talking.cancelled():
            talking.result()


async def _answer(arguments: argparse.Namespace, script: Script) -> None:
    calls: set[asyncio.Task[None]] = set()
    take = partial(_take, calls, arguments.host, script)
    async with Endpoint(_config(arguments.host), SystemClock(), Anyone(), take) as endpoint:
        _tell("ready", address=_address(endpoint))
        await _stdin_closed()
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls, timeout=_GOODBYES_S)


def _take(calls: set[asyncio.Task[None]], host: str, script: Script, invite: Invite) -> None:
    call = asyncio.create_task(take_call(invite, host, script, _tell))
    calls.add(call)
    call.add_done_callback(calls.discard)


def _busy(invite: Invite) -> None:
    invite.reject(486)


@asynccontextmanager
async def _until_stdin_closes(talking: "asyncio.Task[None]") -> AsyncIterator[None]:
    closed = asyncio.create_task(_stdin_closed())
    closed.add_done_callback(lambda _: talking.cancel())
    try:
        yield
    finally:
        closed.cancel()
        await asyncio.wait([closed])


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()


def _config(host: str) -> EndpointConfig:
    return EndpointConfig(listen=[Listen("udp", host, 0)], user_agent="Edge demo phone")


def _address(endpoint: Endpoint) -> str:
    listen = endpoint.addresses[0]
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"{host}:{listen.port}"


def _print(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


_tell: Tell = _print


if __name__ == "__main__":
    main()
