"""Timers without a clock of their own: one FIFO queue per duration, so starting one is an append.

SIP uses few durations (RFC 3261 table 4), and within one duration timers fall due in the order in
which they were started; no heap is needed.  Lingering ones, which may end a little later, end a tick's
worth at a time.  A cancelled timer stays in its queue, empty, until its turn comes.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from math import ceil

T1 = 0.5
"""Seconds: estimate of the round trip (RFC 3261 section 17.1.1.1)."""
T2 = 4.0
"""Seconds: longest interval of retransmission for requests other than INVITE and for answers."""
T4 = 5.0
"""Seconds: how long a message may stay in the network."""
LIMIT = 64 * T1
"""Seconds: timers B, D, F, H, J, L and M."""

NEVER = float("inf")
GRID = 4
"""Ticks a second, at which lingering ends."""
MANY_DURATIONS = 64


class Timer:
    """A started timer; ``cancel`` it if what it waits for has come."""

    __slots__ = ("action", "due")

    def __init__(self, due: float, action: Callable[[], None] | None) -> None:
        self.due = due
        self.action = action

    def cancel(self) -> None:
        """The action will not run, and what it refers to may go."""
        self.action = None


class Tick:
    """Timers that end together, at ``due``."""

    __slots__ = ("due", "timers")

    def __init__(self, due: float) -> None:
        self.due = due
        self.timers: deque[Timer] = deque()


class Timers:
    """All timers of one stack.  ``wake`` is called when the next deadline came nearer.

    ``earliest`` is when ``run`` is due next, on the clock's scale; ``NEVER`` when nothing waits.
    """

    def __init__(self, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._queues: defaultdict[float, deque[Timer]] = defaultdict(deque)
        self._ticks: defaultdict[float, deque[Tick]] = defaultdict(deque)
        self._due: deque[Timer] = deque()
        self.earliest = NEVER

    def start(self, delay: float, action: Callable[[], None]) -> Timer:
        """Runs ``action`` once, ``delay`` seconds from now."""
        timer = Timer(self._clock() + delay, action)
        self._queues[delay].append(timer)
        if timer.due < self.earliest:
            self._nearer(timer.due)
        return timer

    def linger(self, delay: float, timer: Timer) -> None:
        """The same for a timer that is there, at the next tick of a coarse grid: one wake serves all that
        ends by then."""
        wanted = timer.due = self._clock() + delay
        ticks = self._ticks[delay]
        if not ticks or ticks[-1].due < wanted:
            due = ceil(wanted * GRID) / GRID
            ticks.append(Tick(due))
            if due < self.earliest:
                self._nearer(due)
        ticks[-1].timers.append(timer)

    def _nearer(self, due: float) -> None:
        self.earliest = due
        self._wake()

    def run(self) -> None:
        """Runs everything that is due, oldest first.  Should an action raise, the others keep waiting."""
        now = self._clock()
        if now < self.earliest:
            return
        self._collect(now)
        due = self._due
        try:
            while due:
                timer = due.popleft()
                action, timer.action = timer.action, None
                if action is not None:
                    action()
        finally:
            self._settle()

    def _collect(self, now: float) -> None:
        due = list(self._due)
        for queue in self._queues.values():
            while queue:
                first = queue[0]
                if first.action is not None:
                    if first.due > now:
                        break
                    due.append(first)
                queue.popleft()
        if len(due) > 1:
            due.sort(key=_due)
        self._due = deque(due)
        for ticks in self._ticks.values():
            while ticks and ticks[0].due <= now:
                self._due += ticks.popleft().timers

    def _settle(self) -> None:
        """Finds the next deadline."""
        earliest = self._due[0].due if self._due else NEVER
        for queue in self._queues.values():
            while queue and queue[0].action is None:
                queue.popleft()
            if queue and queue[0].due < earliest:
                earliest = queue[0].due
        for ticks in self._ticks.values():
            if ticks and ticks[0].due < earliest:
                earliest = ticks[0].due
        self.earliest = earliest
        if len(self._queues) > MANY_DURATIONS:  # back-off times are drawn
            for delay in [delay for delay, queue in self._queues.items() if not queue]:
                del self._queues[delay]

    def __len__(self) -> int:
        """How many timers wait (cancelled ones that are still in the queue not counted)."""
        lingering = [tick.timers for ticks in self._ticks.values() for tick in ticks]
        return sum(
            timer.action is not None for queue in (*self._queues.values(), *lingering) for timer in queue
        )


class LongTimer:
    """A timer of a length that a peer chose, in steps of powers of two seconds: however many lengths there
    are, the queues are few."""

    __slots__ = ("_action", "_rest", "_step", "_timers")

    def __init__(self, timers: Timers, delay: float, action: Callable[[], None]) -> None:
        self._timers = timers
        self._action = action
        self._rest = delay
        self._step: Timer | None = None
        self._go_on()

    def cancel(self) -> None:
        """The action will not run."""
        if self._step is not None:
            self._step.cancel()

    def _go_on(self) -> None:
        whole = int(self._rest)
        step = float(1 << whole.bit_length() - 1) if whole else self._rest
        self._rest -= step
        self._step = self._timers.start(step, self._go_on if self._rest > 0 else self._action)


def _due(timer: Timer) -> float:
    return timer.due
