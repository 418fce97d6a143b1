"""What the demo prints of each call: its SIP ladder, its record and the reasons.  Pure: data in, text out."""

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from edge.commands.client import Json
from edge.commands.explain import explain
from edge.demo.scenes import BUYER_TONE, CALLER_TONE, Outcome

_WIDTH = 38
"""Characters between two lifelines."""
_FIELDS = (
    "id", "caller", "called", "disposition", "disposition_detail", "hung_up_by", "started_at",
    "answered_at", "connected_at", "ended_at", "trunk_id", "number_id", "campaign_id", "target_id",
    "pool_id", "impression_id", "attribution", "landing_url",
)  # fmt: skip


def outcome_lines(outcome: Outcome, number: int) -> Iterator[Text]:
    """The whole story of one call."""
    yield Text(f"{number}. {outcome.scene.title}", "bold")
    yield Text()
    yield from (Text(line, "cyan") for line in ladder(outcome.trace, outcome.peers))
    yield Text()
    yield Text("Record", "bold")
    yield from (Text(f"  {name:<19} {outcome.record[name]}") for name in _FIELDS if outcome.record.get(name))
    yield Text()
    yield Text("In plain words", "bold")
    yield from (Text(f"  {line}") for line in explain(outcome.record, ()))
    yield Text()
    yield from (Text(line, "green") for line in _heard(outcome))
    yield from (Text(f"Not as it should be: {fault}", "bold red") for fault in outcome.faults)


def ladder(trace: Sequence[Json], peers: Mapping[str, str]) -> Iterator[str]:
    """Messages between three lifelines; ``peers`` names each SIP host:port caller or buyer."""
    yield f"{'':7}{'caller':<{_WIDTH + 1}}{'edge':<{_WIDTH + 1}}buyer"
    for line in trace:
        address = str(line["peer"]).partition(":")[2]
        from_peer = line["direction"] == "in"
        at = f"{line['at_s']:7.3f} s"
        said = _short(str(line["message"]))
        if peers.get(address) == "buyer":
            yield f"{at} │{'':{_WIDTH}}│{_arrow(said, to_right=not from_peer)}│"
        else:
            yield f"{at} │{_arrow(said, to_right=from_peer)}│{'':{_WIDTH}}│"


def _short(message: str) -> str:
    """A response's status and reason; a request's method, with who is called if it is an INVITE."""
    if message.startswith("SIP/2.0 "):
        return message[len("SIP/2.0 ") :]
    method, _, uri = message.removesuffix(" SIP/2.0").partition(" ")
    return f"{method} {uri.partition('@')[0]}" if method == "INVITE" else method


def _arrow(said: str, *, to_right: bool) -> str:
    text = f" {said[: _WIDTH - 8]} "
    shaft = "─" * (_WIDTH - 3 - len(text))
    return f"──{text}{shaft}▶" if to_right else f"◀{shaft}{text}──"


def _heard(outcome: Outcome) -> Iterator[str]:
    caller, buyer = outcome.heard, outcome.buyer_heard
    yield f"The caller's phone heard {caller['other_s']} s of speech" + (
        f" and {caller['tones'][str(BUYER_TONE)]} s of the buyer's tone ({BUYER_TONE} Hz)." if buyer else "."
    )
    if buyer is not None:
        tone = buyer["tones"][str(CALLER_TONE)]
        yield f"The buyer's phone heard {tone} s of the caller's tone ({CALLER_TONE} Hz)."
