"""One target, dialled: every way to it in turn (its trunks), the addresses of each, within its ring time.

The hunt for a target goes through several of these, the transfer of a call through one.
"""

from typing import TYPE_CHECKING

from edge.calls import dialplan
from edge.calls.breaker import MAX_RETRY_AFTER_S
from edge.calls.invitation import Dialled, Transferring
from edge.calls.leg import Leg
from edge.calls.outbound import forbidden, passage_of
from edge.calls.outcome import OUT_OF_SERVICE, Result
from edge.calls.redirect import MOST_HOPS, allowed
from edge.calls.ringing import Ringing
from edge.model.config import Target
from edge.model.placeholders import Lookup
from edge.sip.endpoint import Unresolvable
from edge.sip.events import Destination
from edge.sip.headers import printable

if TYPE_CHECKING:
    from edge.calls.call import Call


class Dial:
    """Dials one target of a call."""

    def __init__(
        self,
        call: "Call",
        target: Target,
        values: Lookup,
        key: str,
        *,
        transfer: Transferring | None = None,
    ) -> None:
        self.call = call
        self.target = target
        self.values = values
        self._transfer = transfer
        self._ringing = Ringing(Dialled(call, target, values, key, transfer))
        self._redirected: list[str] = []

    async def run(self) -> tuple[Leg | None, Result]:
        """The leg that answered, or None, and what it came to; raises CallOver."""
        call, target = self.call, self.target
        until = call.services.clock.monotonic() + target.ring_timeout_s
        last = None
        for line in self._lines():
            if last is not None and self._is_over(until):
                break
            if line.trunk_id is not None and line.trunk_id in call.services.down:
                last = Result(0, "unreachable", f"{line.trunk_id} does not answer OPTIONS", asked=False)
                continue
            ring = self._line if line.trunk_id is None else self._through
            leg, last = await ring(line, until)
            if leg is not None or not last.next_address:
                return leg, last
        if last is None:
            last = Result(0, "unreachable", "no active trunk with a proxy leads to it", asked=False)
        return None, last

    async def _through(self, line: dialplan.Line, until: float) -> tuple[Leg | None, Result]:
        """One way, within the limits of its trunk, if it has any (rule: Toll fraud)."""
        passage = passage_of(self.call, line)
        if isinstance(passage, str):
            return None, Result(0, "refused", passage, next_address=True, asked=False)
        leg: Leg | None = None
        self._ringing.passage = passage
        try:
            leg, last = await self._line(line, until)
        finally:
            if passage is not None:
                passage.settle(leg)
        return leg, last

    def _lines(self) -> list[dialplan.Line]:
        lines = dialplan.lines(self.target, self.call.snapshot, self.values, self.call.trunk.country)
        uri = None if self._transfer is None else self._transfer.uri
        if uri is None:
            return lines
        return [dialplan.elsewhere(line, uri) for line in lines[:1]]

    async def _line(self, line: dialplan.Line, until: float) -> tuple[Leg | None, Result]:
        """The addresses of one way, in order, while the last one says that another may do better."""
        try:
            destinations = await self.call.services.dialler.resolve(line.via)
        except Unresolvable as error:
            return None, Result(0, "unreachable", str(error), next_address=True)
        if line.own and line.sip.allow_refer and line.trunk_id is None:
            self.call.services.peers.led_to(self.target.id, destinations)
        last = None
        for destination in destinations:
            if last is not None and self._is_over(until):
                break
            leg, last = await self._ringing.invite(line, destination, until)
            if last.moved_to:
                return await self._follow(line, last, until)
            if leg is not None or not last.next_address:
                return leg, last
            if last.status in OUT_OF_SERVICE:
                self._avoid(destination, last)
        return None, last or Result(0, "unreachable", f"{line.via} has no address", next_address=True)

    def _is_over(self, until: float) -> bool:
        """Whether no time is left to ring: who were dialled now would ring for a moment, and for nobody."""
        return self.call.services.clock.monotonic() >= until

    def _avoid(self, destination: Destination, result: Result) -> None:
        """For as long as it said itself, if it did."""
        dialler, seconds = self.call.services.dialler, result.retry_after_s
        if seconds is None:
            dialler.avoid(destination)
        else:
            dialler.avoid(destination, min(seconds, MAX_RETRY_AFTER_S))

    async def _follow(self, line: dialplan.Line, last: Result, until: float) -> tuple[Leg | None, Result]:
        """A 3xx: to what the configuration allows, five times at most (rule: Redirections)."""
        leg, status, shown = None, last.status, self.call.trace.shown
        for uri in last.moved_to:
            why_not = self._not_followed(uri, line)
            if why_not is not None:
                last = Result(status, "refused", f"redirects the call to {shown(uri)[:100]}{why_not}")
                continue
            self._redirected.append(uri)
            self.call.record.step("redirect", "followed", shown(printable(uri))[:200])
            onward = dialplan.elsewhere(line, uri)
            leg, last = await self._line(onward, until)
            if leg is not None or not last.next_address:
                break
        return leg, last

    def _not_followed(self, uri: str, line: dialplan.Line) -> str | None:
        if not allowed(uri, line.sip.redirect_hosts):
            return ", which is not among its redirect_hosts"
        if uri in self._redirected or uri == line.uri:
            return ", in a circle"
        if (wrong := forbidden(self.call, line._replace(uri=uri))) is not None:
            return f": {wrong}"
        return f", more than {MOST_HOPS} times" if len(self._redirected) >= MOST_HOPS else None
