"""The demo's set-up and its calls: what is configured, who calls, and what must come of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.commands.client import Api, Json
from edge.commands.failure import CommandFailed
from edge.demo.handset import Event, Handset
from edge.demo.server import HOST, Server

CALLER_TONE = 500
BUYER_TONE = 700
NUMBERS = _OPEN, _CLOSED = "+18005550100", "+18005550101"
_RECORD_S = 10.0
_CALL_S = 40.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: ``expects`` is its disposition, ``spoken_s`` how much speech the caller must hear,
    ``talks`` whether both phones must hear each other."""

    title: str
    caller: str
    number: str
    expects: str
    spoken_s: float
    talks: bool


SCENES = (
    Scene("A call is greeted and bridged to a buyer", "+14155550111", _OPEN, "connected", 2.0, True),
    Scene("A call comes after hours", "+14155550112", _CLOSED, "after_hours_message", 3.0, False),
    Scene("A call comes when the number's cap is used up", "+14155550113", _OPEN, "number_cap", 3.0, False),
)


@dataclass(slots=True)
class Outcome:
    """What came of a scene: the call's record and ladder, who is who in it, what the phones told."""

    scene: Scene
    record: Json
    trace: Sequence[Json]
    peers: Mapping[str, str]
    heard: Event
    buyer_heard: Event | None
    faults: list[str] = field(default_factory=list)


async def configure(api: Api, buyer: Handset) -> None:
    """A trunk, a buyer's target, a campaign with a greeting, and two numbers."""
    prompts = {prompt["name"]: prompt["id"] async for prompt in api.items("/prompts", {}, 100)}
    await api.post("/trunks", {"name": "Example carrier", "addresses": [f"{HOST}/32"]})
    target = await api.post("/targets", {"name": "Example buyer", "address": f"sip:sales@{buyer.address}"})
    campaign = await api.post(
        "/campaigns",
        {
            "name": "Roof repairs",
            "timezone": "UTC",
            "routes": {"targets": [{"target_id": target["id"]}]},
            "prompts": {"greeting_prompt_id": prompts["greeting"]},
        },
    )
    once = {"window": "day", "limit": 1, "on_cap": {"action": "message"}}
    never = {"timezone": "UTC", "weekly": {}, "after_hours": {"action": "message"}}
    await api.post(
        "/numbers", {"e164": _OPEN, "campaign_id": campaign["id"], "timezone": "UTC", "caps": [once]}
    )
    await api.post("/numbers", {"e164": _CLOSED, "campaign_id": campaign["id"], "hours": never})


async def play(scene: Scene, server: Server, api: Api, buyer: Handset) -> Outcome:
    """Places the scene's call, waits for its record, and judges both."""
    async with Handset.started(*_caller(scene, server)) as phone:
        heard = await phone.until("heard", _CALL_S)
        buyer_heard = await buyer.until("heard", _RECORD_S) if scene.talks else None
        record = await _record(api, scene)
        trace = (await api.get(f"/calls/{record['id']}/trace"))["items"]
        peers = {phone.address: "caller", buyer.address: "buyer"}
    outcome = Outcome(scene, record, trace, peers, heard, buyer_heard)
    outcome.faults = list(_faults(outcome))
    return outcome


def _caller(scene: Scene, server: Server) -> tuple[str, ...]:
    to = f"sip:{scene.number}@{server.sip}"
    tones = ("--tone", str(CALLER_TONE), "--listen-for", str(BUYER_TONE), "--enough-s", "1.5")
    return ("call", "--to", to, "--caller", scene.caller, *tones, "--at-most-s", str(_CALL_S - 5))


async def _record(api: Api, scene: Scene) -> Json:
    """The call's finished record: it is there as soon as its writing has been confirmed."""
    try:
        async with asyncio.timeout(_RECORD_S):
            while True:
                async for call in api.items("/calls", {"caller": scene.caller}, 1):
                    if call.get("ended_at"):
                        return call
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandFailed(f"the call of {scene.caller} has no record after {_RECORD_S:.0f} s") from None


def _faults(outcome: Outcome) -> list[str]:
    """What was not as it should be."""
    scene, heard = outcome.scene, outcome.heard
    found = outcome.record.get("disposition")
    spoken, tone = heard["other_s"], heard["tones"][str(BUYER_TONE)]
    checks: list[tuple[bool, Callable[[], str]]] = [
        (found == scene.expects, lambda: f"the record says {found!r} instead of {scene.expects!r}"),
        (spoken >= scene.spoken_s, lambda: f"the caller heard {spoken} s of speech, not {scene.spoken_s} s"),
        (not scene.talks or tone >= 1.0, lambda: f"the caller heard the buyer's tone for {tone} s only"),
    ]
    if outcome.buyer_heard is not None:
        other: Any = outcome.buyer_heard["tones"][str(CALLER_TONE)]
        checks.append((other >= 1.0, lambda: f"the buyer heard the caller's tone for {other} s only"))
    return [say() for good, say in checks if not good]
