"""Any order of both peers' moves, on any network: every call ends, once, and leaves nothing behind."""

import asyncio
import random
import sys
from contextlib import ExitStack
from typing import Any, Final
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from edge.logs import Logger
from edge.media.engine import MediaTimeout, WorkerDied
from edge.media.sdp import Description, parse
from edge.sip.events import (
    Acked,
    Answered,
    InviteEvent,
    OfferAnswered,
    Offered,
    OutgoingCall,
    Progress,
    Transport,
)
from edge.sip.exchange import Exchange
from edge.sip.invite import Invite
from edge.sip.layer import _SENT
from edge.sip.message import respond
from edge.sip.timers import NEVER
from tests.interleavings.stage import (
    CALLER,
    EDGE,
    GREETED,
    LINES,
    PLAIN,
    PRESSED,
    TARGETS,
    WHISPERED,
    Air,
    Edge,
    Node,
)
from tests.support.virtual_time import VirtualLoop

LATEST_S: Final = 30.0
"""No network keeps a datagram for longer than a transaction lives."""
SETTLE_S: Final = 200.0
"""Longer than anything that is under way can take: 64*T1 for each of several transactions in a row."""
MEDIA_LOST: Final = ("the media worker died", "no media worker has the ports of one more call")
LATE_S: Final = 15.0
"""Nobody takes an offer that is so old: who made it has given it up, or is about to."""
WAITS: Final = st.sampled_from((0.0, 0.001, 0.006, 0.011, 0.011, 0.05, 0.05, 0.3, 0.6, 2.0, 11.0, 33.0))
DIRECTIONS: Final = st.sampled_from(("sendrecv", "sendonly", "inactive"))
_IN_KIND: Final = {
    "sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive",
}  # fmt: skip
DEFAULT: Final = "0 8 101"
CODECS: Final = st.sampled_from(("0 8 101", "8 101", "0", "18 101", "9 0"))


def sdp(
    host: str, direction: str = "sendrecv", formats: str = "0 8 101", version: int = 1, port: int = 4000
) -> bytes:
    """A description of a peer's audio."""
    text = (
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
    return text.encode()


def formats_in(said: bytes) -> str:
    """The codecs of an offer, all of which a peer takes; its own where there is none."""
    stream = parse(said).audio if said else None
    return DEFAULT if stream is None or not stream.port else stream.formats


def direction_in(said: bytes) -> str:
    """What a peer says of itself to an offer (RFC 3264 section 6.1)."""
    stream = parse(said).audio if said else None
    return "sendrecv" if stream is None else _IN_KIND[stream.direction]


def replaces(usage: Invite) -> str:
    """A phone's call, as a Replaces to us names it."""
    ours = usage.dialog.remote_tag if usage.dialog is not None else "none"
    return f"{usage.call_id};to-tag={ours};from-tag={usage.local_tag}"


class Phone:
    """A peer: its stack, its calls, and whether it answers offers itself at once."""

    def __init__(self, air: Air, host: str) -> None:
        self.host = host
        self._chance = air.random
        self._time = air.loop.time
        self.node = Node(air, host, self._called)
        self.usages: list[Invite] = []
        self.offered: list[tuple[Invite, float]] = []
        self.asked: dict[Invite, bytes] = {}
        self.obliging = True
        self.narrow = False
        """Whether it takes one codec alone of an offer that it asked for."""
        self.moves = 0.3
        """How many of its descriptions name a port of their own."""
        self._heard: dict[Invite, Description] = {}
        self.agreed: dict[Invite, bytes] = {}
        """What it was last told, and took."""
        self.version = 1

    def _called(self, usage: Invite) -> None:
        self.listen(usage)

    def listen(self, usage: Invite) -> None:
        self.usages.append(usage)
        usage.on_event = lambda event: self._hear(usage, event)

    def description(self, direction: str = "sendrecv", formats: str = "0 8 101") -> bytes:
        self.version += 1
        port = 4000 + 2 * self.version if self._chance.random() < self.moves else 4000
        return sdp(self.host, direction, formats, self.version, port)

    def answer(self, usage: Invite, formats: str = DEFAULT) -> None:
        """Takes a call: what it said reliably before, stands (RFC 3261 13.2.1)."""
        usage.answer(usage.told if usage.told_early else self.description(direction_in(usage.offer), formats))

    def _believe(self, usage: Invite, said: bytes) -> None:
        """RFC 3264 section 8: who changes a description says so in its o= line, and keeps its number."""
        if not said:
            return
        self.agreed[usage] = said
        new, old = parse(said), self._heard.get(usage)
        self._heard[usage] = new
        if old is not None:
            assert new.origin.sess_id == old.origin.sess_id, "another session"
            assert new.origin.version >= old.origin.version, "a version that goes back"
            if new.origin.version == old.origin.version:
                assert new.to_bytes() == old.to_bytes(), "changed without a new version"

    def _hear(self, usage: Invite, event: InviteEvent) -> None:
        match event:
            case Progress(sdp=said):
                self._believe(usage, said)
            case Answered(sdp=said) | OfferAnswered(sdp=said):
                self._believe(usage, said)
                asked = said and not (usage.offer and isinstance(event, Answered))
                usage.ack(self._answer_to(said, narrow=self.narrow) if asked else b"")
            case Acked(sdp=said):
                self._believe(usage, said)
            case Offered(sdp=said) if self.obliging:
                self._take(usage, said)
            case Offered(sdp=said):
                self.offered.append((usage, self._time()))
                self.asked[usage] = said
            case _:
                pass

    def _take(self, usage: Invite, said: bytes, *, narrow: bool = False) -> None:
        before = self.agreed.get(usage, b"")
        self._believe(usage, said)
        if not usage.accept_offer(self._answer_to(said, narrow=narrow)):
            self.agreed[usage] = before

    def _answer_to(self, said: bytes, *, narrow: bool = False) -> bytes:
        formats = formats_in(said)
        return self.description(direction_in(said), formats.partition(" ")[0] if narrow else formats)

    def decide(self, usage: Invite, *, accepts: bool, status: int = 488, narrow: bool = False) -> None:
        """Says what it thinks of an offer that waits; ``narrow``: it takes one codec of it."""
        said = self.asked.pop(usage, b"")
        if accepts:
            self._take(usage, said, narrow=narrow)
        else:
            usage.refuse_offer(status)


class Interleavings(RuleBasedStateMachine):
    """Rules are the peers' moves; each lets some time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.broken: list[object] = []
        self.loop.set_exception_handler(lambda _, context: self.broken.append(context))
        quiet = {"debug": _ignore, "info": _ignore, "warning": _ignore, "exception": self._note}
        self._patches = ExitStack()
        self._patches.enter_context(mock.patch.multiple(Logger, **quiet))
        self._patches.enter_context(mock.patch.dict(_SENT, {b"REF": "sent_refer"}))

    def _note(self, event: str, **fields: Any) -> None:
        self.broken.append((event, sys.exc_info()[1]))

    @initialize(
        seed=st.integers(0, 2**32),
        loss=st.sampled_from((0.0, 0.0, 0.1, 0.3)),
        transport=st.sampled_from(("udp", "udp", "tcp")),
    )
    def begin(self, seed: int, loss: float, transport: Transport) -> None:
        self.chance = random.Random(seed)
        self.air = Air(self.loop, self.chance)
        self.air.transport = transport
        self.air.loss, self.air.copies, self.air.jitter_s = loss, loss / 2, loss * 3
        # Where an answer never arrives nobody knows what the other side took it for.
        self.torn = loss > 0
        self.edge = Edge(self.air, self.loop.clock)
        self.caller = Phone(self.air, CALLER)
        self.targets = [Phone(self.air, host) for host in TARGETS]
        self.phones = [self.caller, *self.targets]

    def pass_time(self, seconds: float) -> None:
        """Runs everything that falls due; what broke is told at once."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        assert not self.broken, self.broken
        assert not self.edge.unheard(), "silence"
        counters = self.edge.store.slots._counters.items()
        assert not [key for key, counter in counters if counter.reserved > LINES], "a line too many"

    def _some(self, phone: Phone, *states: str) -> Invite | None:
        """One of a phone's calls in these states (none named: any of the newest)."""
        found = [usage for usage in phone.usages if usage.state in states] if states else phone.usages[-3:]
        return self.chance.choice(found) if found else None

    def _any_target(self, *states: str) -> tuple[Phone, Invite] | None:
        """A target, and a call of it in one of these states."""
        for phone in self.chance.sample(self.targets, len(self.targets)):
            usage = self._some(phone, *states)
            if usage is not None:
                return phone, usage
        return None

    def _has(self, phones: list[Phone], *states: str) -> bool:
        return any(usage.state in states for phone in phones for usage in phone.usages)

    # -- the caller ----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.caller.usages) < 6)
    @rule(
        number=st.sampled_from((PLAIN, PLAIN, PLAIN, GREETED, GREETED, PRESSED, WHISPERED, "+18005559999")),
        offers=st.booleans(),
        wants=st.sampled_from(("", "Require")),
        formats=CODECS,
        timer=st.sampled_from(("", "", "90;refresher=uac", "90;refresher=uas", "60")),
        after=WAITS,
        expires=st.sampled_from(("", "", "", "1", "15")),
    )
    def the_caller_dials(
        self, number: str, offers: bool, wants: str, formats: str, timer: str, after: float, expires: str = ""
    ) -> None:
        lines = ((wants, "100rel"),) if wants else ()
        lines += (("Expires", expires),) if expires else ()
        lines += (("Session-Expires", timer),) if timer else ()
        call = OutgoingCall(
            f"sip:{number}@{EDGE}", self.air.at(EDGE), f"<sip:+12125550100@{CALLER}>",
            f"<sip:{number}@{EDGE}>", headers=lines, no_provisional_s=40.0,
            body=self.caller.description(formats=formats) if offers else b"",
        )  # fmt: skip
        self.caller.listen(self.caller.node.stack.call(call))
        self.pass_time(after)

    @precondition(lambda self: len(self.caller.usages) < 6)
    @rule(
        number=st.sampled_from((PLAIN, GREETED, PRESSED, WHISPERED)),
        early=st.booleans(),
        formats=CODECS,
        timer=st.sampled_from(("", "", "90;refresher=uac", "90;refresher=uas")),
        after=WAITS,
    )
    def a_call_comes_up(self, number: str, early: bool, formats: str, timer: str, after: float) -> None:
        """As calls mostly do; what follows is then about a call that is up."""
        self.the_caller_dials(number, True, "", "0 8 101", timer, 0.05)
        self.pass_time(2.0 if number == GREETED else 0.1)
        found = self._any_target("trying", "early")
        if found is not None:
            phone, usage = found
            if early:
                usage.progress(183, phone.description(formats=formats))
                self.pass_time(0.1)
            phone.answer(usage, formats)
        self.pass_time(after)

    # -- the targets ---------------------------------------------------------------------------------

    @precondition(lambda self: self._has(self.targets, "trying", "early"))
    @rule(status=st.sampled_from((180, 183)), media=st.booleans(), formats=CODECS, after=WAITS)
    def a_target_rings(self, status: int, media: bool, formats: str, after: float) -> None:
        found = self._any_target("trying", "early")
        if found is not None:
            found[1].progress(status, found[0].description(formats=formats) if media else b"")
        self.pass_time(after)

    @precondition(lambda self: self._has(self.targets, "trying", "early"))
    @rule(formats=CODECS, after=WAITS)
    def a_target_answers(self, formats: str, after: float) -> None:
        found = self._any_target("trying", "early")
        if found is not None:
            found[0].answer(found[1], formats)
        self.pass_time(after)

    @precondition(lambda self: self._has(self.targets, "trying", "early"))
    @rule(status=st.sampled_from((302, 404, 486, 488, 500, 503, 603)), after=WAITS)
    def a_target_refuses(self, status: int, after: float) -> None:
        found = self._any_target("trying", "early")
        if found is not None:
            elsewhere = (("Contact", f"<sip:moved@{self.chance.choice(TARGETS)}>"),)
            found[1].reject(status, headers=elsewhere if status == 302 else ())
        self.pass_time(after)

    @precondition(lambda self: self._has(self.targets, "trying", "early", "answered", "up"))
    @rule(status=st.sampled_from((180, 183, 200, 200)), formats=CODECS, after=WAITS)
    def another_fork_answers(self, status: int, formats: str, after: float) -> None:
        """A proxy in front of the target has sent our INVITE to other phones, too, which nobody knows of."""
        found = self._any_target("trying", "early", "answered", "up")
        if found is not None and found[1].role == "server":
            phone, usage = found
            said = respond(usage.request, status, None, f"fork{self.chance.randrange(3)}")
            said.headers.items.append(("Contact", f"<sip:fork@{phone.host}>"))
            said.headers.items.append(("Content-Type", "application/sdp"))
            said.body = phone.description(formats=formats_in(usage.offer) if usage.offer else formats)
            phone.node.send(said.to_bytes(), usage.flow)
        self.pass_time(after)

    @precondition(lambda self: self._has(self.targets, "up"))
    @rule(to=st.sampled_from((*TARGETS, f"ivr@{TARGETS[0]}", "203.0.113.9")), after=WAITS)
    def a_target_transfers(self, to: str, after: float) -> None:
        found = self._any_target("up")
        if found is not None and found[1].dialog is not None:
            usage, to = found[1], to if "@" in to else f"buyer@{to}"
            Exchange(usage.core, usage.dialog, "REFER", (("Refer-To", f"<sip:{to}>"),))
        self.pass_time(after)

    @precondition(lambda self: self._has(self.targets, "up") and len(self.caller.usages) < 6)
    @rule(who=st.integers(0, 2), number=st.sampled_from((PLAIN, GREETED)), after=WAITS)
    def a_target_asks_somebody(self, who: int, number: str, after: float) -> None:
        """A call of its own through us, as before an attended transfer."""
        phone = self.targets[who]
        if len(phone.usages) < 8:
            call = OutgoingCall(
                f"sip:{number}@{EDGE}", self.air.at(EDGE), f"<sip:agent@{phone.host}>",
                f"<sip:{number}@{EDGE}>", body=phone.description(), no_provisional_s=40.0,
            )  # fmt: skip
            phone.listen(phone.node.stack.call(call))
        self.pass_time(0.1)
        found = self._any_target("trying", "early")
        if found is not None:
            found[0].answer(found[1])
        self.pass_time(after)

    @precondition(lambda self: self._has(self.targets, "up"))
    @rule(who=st.integers(0, 2), after=WAITS)
    def a_target_joins_two_calls(self, who: int, after: float) -> None:
        phone = self.targets[who]
        usage, other = self._some(phone, "up"), self._some(phone)
        if usage is not None and other is not None and usage.dialog is not None:
            to = f"<sip:edge@{EDGE}?Replaces={replaces(other).replace(';', '%3B')}>"
            Exchange(usage.core, usage.dialog, "REFER", (("Refer-To", to),))
        self.pass_time(after)

    @precondition(lambda self: self._has(self.phones, "early", "up"))
    @rule(who=st.integers(0, 3), early_only=st.booleans(), offers=st.booleans(), formats=CODECS, after=WAITS)
    def a_colleague_takes_a_call(
        self, who: int, early_only: bool, offers: bool, formats: str, after: float
    ) -> None:
        phone = self.phones[who]
        usage = self._some(phone, "early", "up") or self._some(phone)
        if usage is not None and len(phone.usages) < 8:
            value = replaces(usage) + (";early-only" if early_only else "")
            call = OutgoingCall(
                f"sip:edge@{EDGE}", self.air.at(EDGE), f"<sip:colleague@{phone.host}>",
                f"<sip:edge@{EDGE}>", (("Replaces", value), ("Require", "replaces")),
                phone.description(formats=formats) if offers else b"", no_provisional_s=40.0,
            )  # fmt: skip
            phone.listen(phone.node.stack.call(call))
        self.pass_time(after)

    # -- either ----------------------------------------------------------------------------------------

    @precondition(lambda self: self._has(self.phones, "early", "proceeding", "up"))
    @rule(who=st.integers(0, 3), direction=DIRECTIONS, formats=CODECS, soon=st.booleans(), after=WAITS)
    def a_phone_offers(self, who: int, direction: str, formats: str, soon: bool, after: float) -> None:
        phone = self.phones[who]
        usage = self._some(phone, "early", "proceeding", "up")
        if usage is not None and usage.may_offer:
            usage.offer_again(phone.description(direction, formats), soon=soon)
        self.pass_time(after)

    @precondition(lambda self: self._has(self.phones, "up"))
    @rule(who=st.integers(0, 3), after=WAITS)
    def a_phone_asks_for_an_offer(self, who: int, after: float) -> None:
        usage = self._some(self.phones[who], "up")
        if usage is not None:
            usage.offer_again(b"")
        self.pass_time(after)

    @rule(
        who=st.integers(0, 3), obliging=st.booleans(), accepts=st.booleans(), after=WAITS,
        status=st.sampled_from((488, 488, 491, 500)), narrow=st.booleans(),
    )  # fmt: skip
    def a_phone_decides_about_offers(
        self, who: int, obliging: bool, accepts: bool, after: float, status: int = 488, narrow: bool = False
    ) -> None:
        phone = self.phones[who]
        phone.obliging, phone.narrow = obliging, narrow
        for usage, at in phone.offered:
            in_time = self.loop.time() - at < LATE_S
            phone.decide(usage, accepts=accepts and in_time, status=status, narrow=narrow)
        phone.offered.clear()
        self.pass_time(after)

    @precondition(lambda self: self._has(self.phones, "up"))
    @rule(who=st.integers(0, 3), after=WAITS)
    def a_phone_takes_its_offer_back(self, who: int, after: float) -> None:
        usage = self._some(self.phones[who], "up")
        exchange = None if usage is None else usage.own_offer._exchange
        transaction = None if exchange is None else exchange.transaction
        if transaction is not None and (transaction.key[1], transaction.state) == ("INVITE", "proceeding"):
            self.phones[who].node.stack._core.layer.cancel(transaction, None)
        self.pass_time(after)

    @rule(who=st.integers(0, 3), after=WAITS)
    def a_phone_hangs_up(self, who: int, after: float) -> None:
        usage = self._some(self.phones[who])
        if usage is not None:
            usage.hang_up("Q.850;cause=16")
        self.pass_time(after)

    @precondition(lambda self: self._has(self.phones, "up"))
    @rule(who=st.integers(0, 3), after=WAITS)
    def a_phone_presses_a_key(self, who: int, after: float) -> None:
        usage = self._some(self.phones[who], "up")
        if usage is not None:
            usage.info("application/dtmf-relay", b"Signal=5\r\nDuration=100\r\n")
        self.pass_time(after)

    @precondition(lambda self: self.edge.switch.live())
    @rule(which=st.integers(0, 7), after=WAITS)
    def a_session_is_refreshed(self, which: int, after: float) -> None:
        """By us, with a re-INVITE: its phone does not allow UPDATE."""
        usages = [usage for usage in self.edge.talking() if usage.state == "up"]
        if usages:
            usage = usages[which % len(usages)]
            usage.refresh_by_offer()
        self.pass_time(after)

    # -- the network, the operator, time -----------------------------------------------------------------

    @rule(loss=st.sampled_from((0.0, 0.2, 0.5, 1.0)), jitter_s=st.sampled_from((0.0, 0.6, 3.0)), after=WAITS)
    def the_weather_changes(self, loss: float, jitter_s: float, after: float) -> None:
        self.air.loss, self.air.copies, self.air.jitter_s = loss, min(loss, 0.3), jitter_s
        self.torn |= loss > 0
        self.pass_time(after)

    @precondition(lambda self: self.air.log)
    @rule(back=st.integers(1, 40), after=WAITS)
    def something_old_arrives_once_more(self, back: int, after: float) -> None:
        recent = self.air.recent(LATEST_S)
        if recent:
            self.air.deliver(0.001, *recent[-min(back, len(recent))])
        self.pass_time(after)

    @precondition(lambda self: self.air.transport == "tcp" and self.phones[0].usages)
    @rule(after=WAITS)
    def a_connection_breaks(self, after: float) -> None:
        self.air.lines.broken_by(self.chance)
        self.torn = True
        self.pass_time(after)

    @rule(after=WAITS)
    def the_store_fails(self, after: float) -> None:
        self.edge.store.healthy = False
        self.pass_time(after)

    @precondition(lambda self: not self.edge.store.healthy)
    @rule(after=WAITS)
    def the_store_is_back(self, after: float) -> None:
        self.edge.store.back()
        self.pass_time(after)

    @rule(left=st.booleans(), after=WAITS)
    def media_ports_run_out_or_are_back(self, left: bool, after: float) -> None:
        self.edge.media.ready = left
        self.pass_time(after)

    @precondition(lambda self: not self.edge.media.expected)
    @rule(seconds=st.sampled_from((0.3, 0.6, 1.9, 2.5)), after=WAITS)
    def the_media_worker_is_restarted(self, seconds: float, after: float) -> None:
        self.edge.media.restarts(seconds)
        self.pass_time(after)

    @precondition(lambda self: self.edge.switch.live())
    @rule(dies=st.booleans(), which=st.integers(0, 3), after=WAITS)
    def a_media_worker_dies_or_hears_nothing(self, dies: bool, which: int, after: float) -> None:
        self.edge.media.fails(which, WorkerDied() if dies else MediaTimeout())
        self.pass_time(after)

    @rule(after=WAITS)
    def the_operator_hangs_up(self, after: float) -> None:
        for call_id in self.edge.switch.live()[:1]:
            self.edge.switch.hang_up(call_id)
        self.pass_time(after)

    @rule(after=st.sampled_from((5.0, 40.0, 100.0)))
    def time_passes(self, after: float) -> None:
        self.pass_time(after)

    # -- the end -------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody hangs up, on a good network; then nothing may be left."""
        try:
            if hasattr(self, "edge") and not self.broken:
                self._end()
        finally:
            self._patches.close()
            for task in asyncio.all_tasks(self.loop):  # of a story that failed
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0.0))
            self.loop.close()

    def _end(self) -> None:
        self.air.loss = self.air.copies = self.air.jitter_s = 0.0
        self.edge.store.back()
        self.pass_time(70.0)  # what was lost came again, or was given up
        assert self.edge.without_its_slot() == []
        assert self.edge.deaf() == []
        silent = self.edge.silent(usage for phone in self.phones for usage in phone.usages)
        assert self.torn or not silent, silent
        agreed = {usage: said for phone in self.phones for usage, said in phone.agreed.items()}
        mistaken = self.edge.mistaken(agreed, (usage for phone in self.phones for usage, _ in phone.offered))
        assert self.torn or not mistaken, mistaken
        for _ in range(2):  # what is still on its way may make one call more
            self.pass_time(5.0)
            for phone in self.phones:
                for usage in phone.usages:
                    usage.hang_up()
        self.pass_time(SETTLE_S)
        edge, store = self.edge, self.edge.store
        assert edge.switch.live() == [], "a call lives on although both its peers are gone"
        assert len(store.finished) + edge.turned_away == edge.switch.arrived
        assert set(store.finished.values()) <= {1}, store.finished
        assert edge.media.opened == 0
        left = {key: counter.reserved for key, counter in store.slots._counters.items() if counter.reserved}
        assert not left and not store.slots._held, left
        for node in (edge.node, *(phone.node for phone in self.phones)):
            left = node.stack.counters
            assert (left["transactions"], left["dialogs"]) == (0, 0), (node.address, left)
            assert node.stack.timers.earliest == NEVER, node.address
        for record in store.records:
            check(record)


def _ignore(*_: object, **__: object) -> None:
    """Nobody reads these lines."""


def check(record: Any) -> None:
    """What any record must be, whatever happened."""
    disposition, answered = record["disposition"], record["answered_at"]
    assert disposition != "error_internal", record
    assert disposition != "error_media" or record["disposition_detail"] in MEDIA_LOST, record
    connected = record["connected_at"] is not None
    assert not connected or (answered is not None and record["target_id"] is not None), record
    assert (disposition == "connected") <= connected, record
    outcomes = [attempt["outcome"] for attempt in record["attempts"]]
    assert connected <= ("answered" in outcomes), record
    assert record["hung_up_by"] in ("caller", "target", "admin", "limit", "server"), record
