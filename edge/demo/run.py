"""``edge demo``: starts a server and phones, places the calls, prints what came of each."""

import asyncio
import signal
import tempfile
from collections.abc import Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edge.commands.client import Api
from edge.commands.failure import CommandFailed
from edge.demo.handset import Handset, PhoneFailed
from edge.demo.scenes import BUYER_TONE, CALLER_TONE, NUMBERS, SCENES, Outcome, configure, play
from edge.demo.server import Server, running
from edge.demo.show import outcome_lines

_BUYER = ("answer", "--tone", str(BUYER_TONE), "--listen-for", str(CALLER_TONE), "--ring-s", "0.6")


def main(*, keep: bool = False) -> None:
    """Runs the demo; with ``keep`` the server stays up until Ctrl-C.

    Raises CommandFailed if anything was not as it should be.
    """
    console = Console(highlight=False)
    try:
        outcomes = asyncio.run(_until_terminated(_demo(console, keep)))
    except PhoneFailed as error:
        raise CommandFailed(f"a phone of the demo failed: {error}") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise CommandFailed("the demo was interrupted") from None
    faults = _faults(outcomes)
    if faults:
        raise CommandFailed("the demo did not go as it should: " + "; ".join(faults))


async def _until_terminated(demo: Coroutine[None, None, list[Outcome]]) -> list[Outcome]:
    """SIGTERM cancels, as Ctrl-C does: the server and the phones must not stay behind."""
    running_demo = asyncio.ensure_future(demo)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running_demo.cancel)
    return await running_demo


async def _demo(console: Console, keep: bool) -> list[Outcome]:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-demo-"))
        with _busy(console, "starting a server and a buyer's phone"):
            server = await stack.enter_async_context(running(Path(directory)))
            buyer = await stack.enter_async_context(Handset.started(*_BUYER))
            api = await stack.enter_async_context(Api(server.url, server.token))
            await configure(api, buyer)
        _say(console, *_addresses(server, buyer))
        outcomes = [await _scene(console, number, server, api, buyer) for number in range(1, len(SCENES) + 1)]
        if not _faults(outcomes):
            _say(console, Text(f"All {len(outcomes)} calls went as they should.", "bold green"))
        if keep:
            await _stay(console, server)
    return outcomes


def _faults(outcomes: list[Outcome]) -> list[str]:
    return [fault for outcome in outcomes for fault in outcome.faults]


async def _scene(console: Console, number: int, server: Server, api: Api, buyer: Handset) -> Outcome:
    scene = SCENES[number - 1]
    with _busy(console, f"call {number} of {len(SCENES)}: {scene.title}"):
        outcome = await play(scene, server, api, buyer)
    _say(console, *outcome_lines(outcome, number), Text())
    return outcome


def _addresses(server: Server, buyer: Handset) -> list[Text]:
    return [
        Text(f"The server takes SIP at udp:{server.sip}; its API is at {server.url}/api/v1"),
        Text(f"({server.url}/api/docs shows it). The buyer's phone is at {buyer.address}."),
        Text(),
    ]


async def _stay(console: Console, server: Server) -> None:
    """Until Ctrl-C or SIGTERM."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    numbers = " and ".join(f"sip:{number}@{server.sip}" for number in NUMBERS)
    _say(
        console,
        Text("The server stays up until Ctrl-C. Call " + numbers),
        Text(f"or ask it: EDGE_URL={server.url} EDGE_TOKEN={server.token} edge calls"),
    )
    await over.wait()


def _busy(console: Console, what: str) -> AbstractContextManager[object]:
    """A moving sign on a terminal, nothing in a pipe."""
    return console.status(what) if console.is_terminal else nullcontext()


def _say(console: Console, *lines: Text) -> None:
    """Lines are never wrapped: a broken ladder can not be read."""
    for line in lines:
        console.print(line, soft_wrap=True)
