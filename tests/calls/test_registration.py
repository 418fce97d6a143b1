"""Registrations with carriers on virtual time: refreshed in time, asked for longer, taken back."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from edge.calls.registration import AGAIN_S, BACKOFF_S, REFRESH, STANDS_S, RegistrationWatch
from edge.calls.watches import SETTLE_S
from edge.model.config import Trunk
from edge.model.sip import RegisterSpec, SipSettings
from edge.sip.events import Destination, OutgoingRequest
from edge.sip.message import Headers, Response
from tests.calls.test_reachability import COMMON, Asker, Holder
from tests.support.virtual_time import VirtualClock, run_virtual

GRANTED_S = 600
ACCOUNT = RegisterSpec(registrar="sip:sip.carrier.example", username="us", password=SecretStr("hunter2"))


class Registrar(Asker):
    """Answers by ``replies`` in turn, then grants ``GRANTED_S``; ``at`` is when it was asked."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self.replies: list[Response] = []
        self.at: list[float] = []
        self.lose: Callable[[], None] = lambda: None
        self.closes = False  # each connection as soon as it has answered
        self.granted: int | None = GRANTED_S  # None: whatever it says itself
        self.slow_s: list[float] = []  # until it answers the next ones

    async def ask(self, outgoing: OutgoingRequest, patience_s: float) -> Response:
        self.asked.append(outgoing)
        self.at.append(self.clock.monotonic())
        await asyncio.sleep(self.slow_s.pop(0) if self.slow_s else 0.01)
        return (
            self.replies.pop(0)
            if self.replies
            else reply(200, ("Contact", f"<sip:us@x>;expires={GRANTED_S}"))
        )

    def hold(self, destination: Destination, seconds: float, lost: Callable[[], None]) -> None:
        assert self.granted is None or seconds == self.granted
        self.lose = lost
        if self.closes:
            lost()

    @property
    def waits(self) -> list[float]:
        return [round(late - early, 1) for early, late in zip(self.at, self.at[1:], strict=False)]


def reply(status: int, *headers: tuple[str, str]) -> Response:
    return Response(status, "As told", Headers(list(headers)))


def trunk(**fields: Any) -> Trunk:
    given = {"id": "trk_1", "name": "carrier", "addresses": ("192.0.2.0/24",), "register": ACCOUNT, **fields}
    return Trunk(**given, **COMMON)


Story = Callable[[RegistrationWatch, Registrar, Holder], Coroutine[Any, Any, None]]


def kept(story: Story, *replies: Response) -> Registrar:
    """Runs a story; answers the registrar, which has seen the goodbye."""
    registrars: list[Registrar] = []

    async def run(clock: VirtualClock) -> None:
        registrar, holder = Registrar(clock), Holder(trunk())
        registrars.append(registrar)
        registrar.replies += replies
        async with RegistrationWatch(registrar, holder, clock, lambda low, high: high) as watch:
            await story(watch, registrar, holder)
        assert len(asyncio.all_tasks()) == 1

    run_virtual(run)
    return registrars[0]


def state(watch: RegistrationWatch) -> str:
    found = watch.registration("trk_1")
    assert found is not None
    return found.state


def expires(outgoing: OutgoingRequest) -> str:
    return dict(outgoing.headers)["Expires"]


def test_a_registration_is_made_refreshed_in_time_and_taken_back() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        assert (state(watch), watch.counts()) == ("registered", {"registered": 1})
        await asyncio.sleep(GRANTED_S * 3)
        assert all(GRANTED_S * 0.5 < wait < GRANTED_S for wait in registrar.waits)

    registrar = kept(story)
    first, *others = registrar.asked
    assert (first.method, first.request_uri) == ("REGISTER", "sip:sip.carrier.example")
    assert first.from_ == first.to == "<sip:us@sip.carrier.example>"
    assert (expires(first), first.contact_user) == ("3600", "us")
    assert {outgoing.call_id for outgoing in others} == {first.call_id}
    assert [outgoing.cseq for outgoing in registrar.asked] == sorted({o.cseq for o in registrar.asked})
    assert [expires(outgoing) for outgoing in registrar.asked].count("0") == 1
    assert expires(registrar.asked[-1]) == "0"
    assert "hunter2" not in repr(registrar.asked)


@pytest.mark.parametrize(
    ("contacts", "waits"),
    [
        (
            (f"<sip:us@192.0.2.77>;expires=30, <sip:us@203.0.113.5:5060>;expires={GRANTED_S}",),
            GRANTED_S * 0.85,
        ),
        (
            ('"Phone" <sip:us@192.0.2.77>;expires=30', f"<sip:us@203.0.113.5>;q=1;expires={GRANTED_S}"),
            GRANTED_S * 0.85,
        ),
        ((f"<sip:us@198.51.100.1:61000>;expires={GRANTED_S}, <sip:us@192.0.2.77>;expires=30",), 30 * 0.85),
    ],
)
def test_of_several_devices_the_time_of_ours_counts_if_it_can_be_told(
    contacts: tuple[str, ...], waits: float
) -> None:
    """A registrar behind a NAT may write another address; then the shortest time is never too late."""

    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        registrar.granted = None
        await asyncio.sleep(1 + waits)

    registrar = kept(story, reply(200, *(("Contact", value) for value in contacts)))
    assert registrar.waits[0] == pytest.approx(waits, abs=0.2)


def test_a_time_that_is_too_short_is_asked_for_again() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        assert state(watch) == "registered"
        assert [expires(outgoing) for outgoing in registrar.asked] == ["3600", "7200"]
        await asyncio.sleep(GRANTED_S)
        assert expires(registrar.asked[2]) == "7200"

    kept(story, reply(423, ("Min-Expires", "7200")))


def test_refusals_are_tried_again_ever_more_slowly() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        found = watch.registration("trk_1")
        assert found is not None and (found.state, found.reason) == ("failed", "403 As told")
        await asyncio.sleep(BACKOFF_S[1] * 4)
        assert [round(wait) for wait in registrar.waits][:4] == [5, 10, 20, 40]
        assert max(registrar.waits) < BACKOFF_S[1] + 1

    registrar = kept(story, *[reply(403)] * 50)
    assert "0" not in [expires(outgoing) for outgoing in registrar.asked]


def test_an_address_that_fails_gives_way_to_the_next() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        assert state(watch) == "registered"
        assert [asked.destination.host for asked in registrar.asked] == ["192.0.2.1", "192.0.2.2"]
        assert registrar.avoided == ["192.0.2.1"]

    kept(story, reply(503))


def test_a_refresh_that_fails_leaves_us_registered_until_the_time_is_over() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        registrar.replies += [reply(408)] * 100
        await asyncio.sleep(GRANTED_S * 0.9)
        assert state(watch) == "registered"
        await asyncio.sleep(GRANTED_S)
        assert state(watch) == "failed"

    kept(story)


def test_a_connection_that_is_lost_is_made_again_however_soon_it_was() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        for stood_s in (1.0, 2 * STANDS_S, GRANTED_S * REFRESH[0] - 1):
            await asyncio.sleep(stood_s)
            asked = len(registrar.at)
            registrar.lose()
            await asyncio.sleep(AGAIN_S[1] + 0.1)
            assert len(registrar.at) == asked + 1 and state(watch) == "registered"

    kept(story)


def test_a_registrar_that_closes_every_connection_is_asked_ever_more_slowly() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        registrar.closes = True
        await asyncio.sleep(GRANTED_S * 4)
        waits = [round(wait) for wait in registrar.waits]
        assert waits[0] <= AGAIN_S[1] and waits[1:6] == [5, 10, 20, 40, 80]
        assert len(waits) < 15
        registrar.closes = False
        await asyncio.sleep(GRANTED_S + STANDS_S)
        asked = len(registrar.at)
        registrar.lose()
        await asyncio.sleep(AGAIN_S[1] + 0.1)
        assert len(registrar.at) == asked + 1, "it had stood long enough"

    kept(story)


def test_we_wait_as_long_as_we_are_told() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(400)
        assert registrar.waits == [0.0, 300.0]

    kept(story, reply(503, ("Retry-After", "300")), reply(503, ("Retry-After", "300 (busy)")))


def test_an_edit_of_something_else_keeps_the_registration_and_its_end_takes_it_back() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, holder: Holder) -> None:
        await asyncio.sleep(1)
        holder.put(trunk(name="renamed"))
        watch.changed()
        await asyncio.sleep(1)
        assert [expires(outgoing) for outgoing in registrar.asked] == ["3600", "3600"]
        holder.put(trunk(register=None))
        watch.changed()
        await asyncio.sleep(1)
        assert expires(registrar.asked[-1]) == "0"
        assert watch.registration("trk_1") is None

    assert [expires(outgoing) for outgoing in kept(story).asked].count("0") == 1


OTHER = RegisterSpec(registrar="sip:sip.carrier.example", username="them", password=SecretStr("hunter2"))


def test_a_goodbye_is_over_before_the_same_trunk_registers_again_however_often_it_is_edited() -> None:
    """Or the carrier may hear it last, and no call comes though the registration is said to stand."""

    async def story(watch: RegistrationWatch, registrar: Registrar, holder: Holder) -> None:
        await asyncio.sleep(1)
        registrar.slow_s = [0.9]
        for each in (trunk(register=OTHER), trunk(register=None), trunk(name="renamed")):
            holder.put(each)
            watch.changed()
            await asyncio.sleep(SETTLE_S + 0.05)
        await asyncio.sleep(2)
        goodbye = next(at for at, asked in enumerate(registrar.asked) if expires(asked) == "0")
        assert registrar.at[goodbye + 1] - registrar.at[goodbye] > 0.8
        assert state(watch) == "registered"

    kept(story)


def test_a_goodbye_takes_nothing_from_another_trunk_with_the_same_account() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, holder: Holder) -> None:
        holder.put(trunk(id="trk_2"))
        watch.changed()
        await asyncio.sleep(1)
        holder.put(trunk(state="paused"))
        watch.changed()
        await asyncio.sleep(1)
        assert "0" not in [expires(outgoing) for outgoing in registrar.asked]
        assert watch.registration("trk_1") is None and watch.counts() == {"registered": 1}

    kept(story)


def test_what_a_registrar_may_still_grant_is_taken_back_too() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, holder: Holder) -> None:
        registrar.slow_s = [5]
        await asyncio.sleep(1)
        assert state(watch) == "registering"
        holder.put(trunk(register=None))
        watch.changed()
        await asyncio.sleep(1)
        assert [expires(outgoing) for outgoing in registrar.asked] == ["3600", "0"]

    kept(story)


def test_a_registration_whose_time_is_over_is_not_said_to_stand_while_we_wait() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        registrar.replies += [reply(503, ("Retry-After", "3600"))] * 4
        await asyncio.sleep(GRANTED_S - 2)
        assert state(watch) == "registered"
        await asyncio.sleep(3)
        found = watch.registration("trk_1")
        assert found is not None and (found.state, found.expires_at) == ("failed", None)
        assert found.reason == "503 As told"

    kept(story)


def test_a_clock_that_is_set_back_does_not_lengthen_a_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        await asyncio.sleep(1)
        registrar.replies += [reply(408)] * 100
        yesterday = registrar.clock.utc() - timedelta(days=1)
        monkeypatch.setattr(registrar.clock, "utc", lambda: yesterday)
        await asyncio.sleep(GRANTED_S + 1)
        assert state(watch) == "failed"

    kept(story)


def test_an_edit_of_the_transport_takes_the_old_binding_back() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, holder: Holder) -> None:
        await asyncio.sleep(1)
        holder.put(trunk(sip=SipSettings(transport="tcp")))
        watch.changed()
        await asyncio.sleep(1)
        assert [expires(outgoing) for outgoing in registrar.asked] == ["3600", "0", "3600"]
        assert state(watch) == "registered"

    kept(story)


def test_a_time_that_is_granted_short_is_refreshed_before_it_is_over() -> None:
    async def story(watch: RegistrationWatch, registrar: Registrar, _: Holder) -> None:
        registrar.granted = None
        registrar.replies += [reply(200, ("Contact", "<sip:us@203.0.113.5>;expires=8"))] * 100
        await asyncio.sleep(1)
        first = watch.registration("trk_1")
        await asyncio.sleep(60)
        last = watch.registration("trk_1")
        assert first is not None and last is not None
        assert (last.state, last.since) == ("registered", first.since), "all the time"

    kept(story)
