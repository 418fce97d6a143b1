"""What the demo prints of a call."""

from edge.demo.scenes import SCENES, Outcome
from edge.demo.show import ladder, outcome_lines

TRACE = [
    {
        "at_s": 0.0,
        "direction": "in",
        "peer": "udp:127.0.0.1:1111",
        "message": "INVITE sip:+18005550100@127.0.0.1:53412 SIP/2.0",
    },
    {"at_s": 0.001, "direction": "out", "peer": "udp:127.0.0.1:1111", "message": "SIP/2.0 100 Trying"},
    {
        "at_s": 0.002,
        "direction": "out",
        "peer": "udp:127.0.0.1:2222",
        "message": "INVITE sip:sales@y SIP/2.0",
    },
    {"at_s": 1.25, "direction": "in", "peer": "udp:127.0.0.1:2222", "message": "SIP/2.0 200 OK"},
]
PEERS = {"127.0.0.1:1111": "caller", "127.0.0.1:2222": "buyer"}
RECORD = {
    "id": "call_1",
    "caller": "+14155550111",
    "called": "+18005550100",
    "disposition": "number_cap",
    "disposition_detail": "the day's cap is used up",
    "started_at": "2026-11-22T10:00:00.000Z",
    "ended_at": "2026-11-22T10:00:09.000Z",
    "decision": {"steps": [{"step": "caps", "result": "full", "reason": "1 of 1 used"}], "candidates": []},
}
HEARD = {"tones": {"700": 0.3, "ringback": 0.0}, "other_s": 3.5}


def test_a_ladder_shows_who_said_what_to_whom() -> None:
    lines = list(ladder(TRACE, PEERS))
    assert len({len(line) for line in lines[1:]}) == 1
    caller, edge, buyer = (lines[0].index(word) + 3 for word in ("caller", "edge", "buyer"))
    invite, trying, dialled, answered = lines[1:]
    assert caller < invite.index(" INVITE sip:+18005550100 ") < invite.index("▶") < edge
    assert caller < trying.index("◀") < trying.index("100 Trying") < edge
    assert edge < dialled.index("INVITE") < dialled.index("▶") < buyer
    assert edge < answered.index("◀") < answered.index("200 OK") < buyer
    assert "1.250 s" in answered


def test_the_story_holds_record_reasons_sound_and_faults() -> None:
    outcome = Outcome(SCENES[2], RECORD, TRACE, PEERS, HEARD, None, ["the record is odd"])
    text = "\n".join(line.plain for line in outcome_lines(outcome, 3))
    for part in (
        "3. A call comes when the number's cap is used up",
        "disposition         number_cap",
        "caps → full: 1 of 1 used",
        "heard 3.5 s of speech.",
        "Not as it should be: the record is odd",
    ):
        assert part in text
