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
_PRIMARY, _POOLED = "+18005550102", "+18005550103"
_LANDING = "https://roofs.example/repair?utm_source=newsletter&utm_campaign=spring&roof=flat"
_RECORD_S = 10.0
_CALL_S = 40.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: ``expects`` is its disposition, ``spoken_s`` how much speech the caller must hear,
    ``talks`` whether both phones must hear each other.  ``visits``: before it, the caller looks
    at a page, which shows the number that is then dialled."""

    title: str
    caller: str
    number: str
    expects: str
    spoken_s: float
    talks: bool
    visits: bool = False


SCENES = (
    Scene("A call is greeted and bridged to a buyer", "+14155550111", _OPEN, "connected", 2.0, True),
    Scene("A call comes after hours", "+14155550112", _CLOSED, "after_hours_message", 3.0, False),
    Scene("A call comes when the number's cap is used up", "+14155550113", _OPEN, "number_cap", 3.0, False),
    Scene(
        "A visitor of a web page calls the number that it was given",
        "+14155550114", _POOLED, "connected", 2.0, True, visits=True,
    ),
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What came of a scene: the call's record and ladder, who is who in it, what the phones told, and
    what a page had ``shown`` the caller."""

    scene: Scene
    record: Json
    trace: Sequence[Json]
    peers: Mapping[str, str]
    heard: Event
    buyer_heard: Event | None
    faults: list[str] = field(default_factory=list)
    shown: Json | None = None


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
    await _configure_pool(api, campaign["id"])


async def _configure_pool(api: Api, campaign_id: str) -> None:
    """A pool of one number, which the campaign's page shows in place of the primary one."""
    primary = await api.post("/numbers", {"e164": _PRIMARY, "campaign_id": campaign_id})
    pool = await api.post("/pools", {"name": "Roof repairs online"})
    await api.post("/numbers", {"e164": _POOLED, "pool_id": pool["id"]})
    names = {"campaign_id": campaign_id, "primary_number_id": primary["id"], "pool_id": pool["id"]}
    tag = {"name": "Page header", "number_to_replace": _PRIMARY, "capture_user_data": True}
    await api.post("/call-tracking-tags", {**tag, **names})


async def _visit(api: Api) -> Json:
    """Looks at the page, as its snippet does; what the page shows for the tag."""
    (tag,) = [each async for each in api.items("/call-tracking-tags", {}, 1)]
    view = {"visitor_id": "visitor-of-the-demo", "page_url": _LANDING}
    answer = await api.open_post(f"/t/{tag['campaign_id']}/numbers", view)
    shown: Json = answer["tags"][0]
    return shown


async def play(scene: Scene, server: Server, api: Api, buyer: Handset) -> Outcome:
    """Places the scene's call, waits for its record, and judges both."""
    shown = await _visit(api) if scene.visits else None
    async with Handset.started(*_caller(scene, server)) as phone:
        heard = await phone.until("heard", _CALL_S)
        buyer_heard = await buyer.until("heard", _RECORD_S) if scene.talks else None
        record = await _record(api, scene)
        trace = (await api.get(f"/calls/{record['id']}/trace"))["items"]
        peers = {phone.address: "caller", buyer.address: "buyer"}
    outcome = Outcome(scene, record, trace, peers, heard, buyer_heard, shown=shown)
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
    if outcome.shown is not None:
        given, linked = outcome.shown["e164"], outcome.record.get("impression_id")
        source = outcome.record["tags"].get("utm_source", {}).get("value")
        checks += [
            (given == scene.number, lambda: f"the page showed {given} instead of {scene.number}"),
            (linked is not None and source == "newsletter", lambda: "the call did not bring its page along"),
        ]
    if outcome.buyer_heard is not None:
        other: Any = outcome.buyer_heard["tones"][str(CALLER_TONE)]
        checks.append((other >= 1.0, lambda: f"the buyer heard the caller's tone for {other} s only"))
    return [say() for good, say in checks if not good]
