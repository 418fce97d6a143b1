"""A running server with phones of our own around it: who hears what, and which keys arrive."""

import io
import itertools
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.demo.handset import Event, Handset
from tests.support.api import Api, Json
from tests.support.ports import own_address
from tests.support.server import Server, eventually
from tests.support.tones import Samples, tone
from tests.support.wav import wav_bytes

_numbers = itertools.count(18005550400)


@dataclass
class Talk:
    """What the caller's phone told of one call, what it heard at the end, and the call's record."""

    told: list[Event]
    heard: Event
    record: Json

    def seconds(self, hertz: int | str) -> float:
        """How long the caller heard that tone."""
        return float(self.heard["tones"].get(str(hertz), 0.0))


class Stage:
    """Makes targets, prompts and numbers on a server that runs; a target is a phone with a tone."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self.server = server
        self.api = server.api
        self._stack = stack

    async def prompt(self, hertz: int, seconds: float = 0.4) -> str:
        """A prompt that is a tone; its id."""
        made = await self.api.upload_prompt(f"{hertz} Hz", wav_bytes(tone(hertz, seconds)))
        return str(made["id"])

    async def phone(self, hertz: int, *options: str, listen_for: int = 500) -> Handset:
        """A phone that takes calls, sends this tone and knows that of its callers."""
        tones = ("--tone", str(hertz), "--listen-for", str(listen_for))
        started = Handset.started("answer", "--host", own_address(), *tones, *options)
        return await self._stack.enter_async_context(started)

    async def target(self, phone: Handset, **fields: Any) -> str:
        """A target that is this phone; its id."""
        address = f"sip:buyer@{phone.address}"
        return str((await self.api.post("targets", {"name": address, "address": address, **fields}))["id"])

    async def campaign(self, *targets: str, prompts: Json | None = None, **routes: Any) -> str:
        """A campaign with these targets in their order; its id."""
        listed = [{"target_id": each, "priority": place} for place, each in enumerate(targets)]
        body = {"name": "campaign", "prompts": prompts or {}, "routes": {"targets": listed, **routes}}
        return str((await self.api.post("campaigns", body))["id"])

    async def number(self, campaign_id: str, **fields: Any) -> str:
        """A number of a campaign; its digits."""
        e164 = f"+{next(_numbers)}"
        await self.api.post("numbers", {"e164": e164, "campaign_id": campaign_id, **fields})
        return e164

    async def record(self, e164: str) -> Json:
        """The number's call, once it is over."""

        async def look() -> Json | None:
            calls = (await self.api.get("calls", number=e164))["items"]
            return next((call for call in calls if call.get("ended_at")), None)

        found: Json = await eventually(look)
        return found

    async def call(self, e164: str, *listen_for: int, options: tuple[str, ...] = ()) -> Talk:
        """One call from a phone of 500 Hz; ``listen_for`` are the tones it knows, the first for ``--press``
        and ``--enough-s``.  Without these it hangs up after ``--at-most-s``."""
        host = own_address()
        await self.api.post("trunks", {"name": f"carrier {host}", "addresses": [f"{host}/32"]})
        to = ("--to", f"sip:{e164}@{self.server.address()}", "--tone", "500")
        known = itertools.chain.from_iterable(("--listen-for", str(hertz)) for hertz in listen_for)
        async with Handset.started("call", "--host", host, *to, *known, *options) as caller:
            heard = await caller.until("heard", 60)
        return Talk(caller.told, heard, await self.record(e164))


@asynccontextmanager
async def stage_of(server: Server) -> AsyncIterator[Stage]:
    """A stage whose phones are put down after the block."""
    async with AsyncExitStack() as stack:
        yield Stage(server, stack)


async def tracks(api: Api, path: str) -> Samples:
    """A recording as it is downloaded: a row for each track."""
    async with api.http.get(f"{api.base}/api/v1/{path}") as answer:
        assert answer.status == 200
        assert answer.content_type == "audio/wav"
        with wave.open(io.BytesIO(await answer.read())) as file:
            frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            return frames.reshape(-1, file.getnchannels()).T
