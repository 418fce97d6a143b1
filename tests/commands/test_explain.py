"""A call's record in plain words."""

from io import StringIO
from typing import Any, get_args

import pytest
from rich.console import Console

from edge.commands.calls import table
from edge.commands.explain import explain
from edge.model.decision import Disposition

RECORD: dict[str, Any] = {
    "id": "call_1",
    "caller": "+13125550142",
    "called": "+13125550100",
    "started_at": "2026-11-20T09:00:00.000Z",
    "connected_at": "2026-11-20T09:00:10.000Z",
    "ended_at": "2026-11-20T09:01:40.500Z",
    "disposition": "connected",
    "disposition_detail": "",
    "hung_up_by": "caller",
    "decision": {
        "steps": [{"step": "hours", "result": "open", "reason": "mon 09:00-17:00"}],
        "candidates": [
            {"target_id": "tgt_1", "tier": 1, "odds": 0.25, "result": "skipped", "reason": "closed"},
            {"target_id": "tgt_2", "tier": 1, "odds": 0.75, "result": "tried", "reason": "answered"},
        ],
    },
    "attempts": [
        {
            "target_id": "tgt_2",
            "started_at": "2026-11-20T09:00:05.000Z",
            "ended_at": "2026-11-20T09:00:10.000Z",
            "status": 200,
            "outcome": "answered",
            "reason": "",
        }
    ],
    "media": {
        "caller": {"packets_in": 0, "packets_out": 4500, "lost": 0, "jitter_ms": 0.0, "strays": 3},
        "target": {"packets_in": 4500, "packets_out": 0, "lost": 2, "jitter_ms": 1.25},
    },
}
LADDER = [{"at_s": 0.25, "direction": "in", "peer": "udp:192.0.2.1:5060", "message": "INVITE x SIP/2.0"}]


def text(**changes: Any) -> str:
    return "\n".join(explain({**RECORD, **changes}, LADDER, {"tgt_1": "Desk"}))


def test_a_call_is_told_from_its_decision_to_its_audio() -> None:
    told = text()
    for said in (
        "+13125550142 called +13125550100",
        "The caller talked to a target.",
        "Ended by: caller",
        "Talked for 90.5 s",
        "hours → open: mon 09:00-17:00",
        "Desk (tgt_1): outside the target's business hours (tier 1, 25% of being its tier's first) [skipped]",
        "tgt_2: answered after 5.0 s, 200",
        "0.250 s  udp:192.0.2.1:5060",
        "caller: 0 packets in, 4500 out",
        "2 lost, jitter 1.2 ms",
    ):
        assert said in told, said


def test_one_way_audio_is_pointed_out() -> None:
    assert "nothing was heard from this side: a firewall or NAT" in text()
    assert "3 packets came from a wrong source" in text()


def test_what_is_not_known_yet_is_left_out() -> None:
    live = text(disposition=None, connected_at=None, ended_at=None, decision=None, attempts=None, media=None)
    assert "It is still going on." in live
    assert "Decision" not in live
    assert "Audio" not in live


def test_an_anonymous_caller_has_no_number() -> None:
    assert "an anonymous caller called" in text(caller=None)


@pytest.mark.parametrize("disposition", get_args(Disposition))
def test_every_disposition_is_told(disposition: str) -> None:
    assert f"(disposition {disposition})" in text(disposition=disposition)


def test_what_callers_send_moves_no_cursor() -> None:
    odd = "+1\x1b[31m\r\x9b2J\n"
    shown = list(explain({**RECORD, "called": odd}, [{**LADDER[0], "message": f"INVITE sip:{odd} SIP/2.0"}]))
    assert all(line.isprintable() for line in shown)
    printed = StringIO()
    Console(file=printed, force_terminal=True, width=200).print(table([{**RECORD, "called": odd}]))
    assert "\\x1b[31m" in printed.getvalue() and "\x1b[31m" not in printed.getvalue()
