"""Offer and answer across two legs: what each peer is told, and where its packets then go."""

import pytest

from edge.media.engine import Plan
from edge.media.negotiate import (
    Here,
    answer_locally,
    needs_reoffer,
    offer_ours,
    relay_answer,
    relay_offer,
)
from edge.media.plans import plan_for, receives_at
from edge.media.sdp import Description, parse
from edge.media.streams import resumed

CALLER, TARGET = "203.0.113.5", "198.51.100.7"
TO_CALLER = Here("192.0.2.1", 20_000, 11)
TO_TARGET = Here("192.0.2.1", 20_002, 12)

MAPS = {
    "0": "0 PCMU/8000",
    "8": "8 PCMA/8000",
    "18": "18 G729/8000",
    "9": "9 G722/8000",
    "96": "96 opus/48000/2",
    "97": "97 iLBC/8000",
    "98": "98 telephone-event/48000",
    "100": "100 telephone-event/8000",
    "101": "101 telephone-event/8000",
    "102": "102 opus/48000/2",
    "104": "104 AMR/8000",
    "105": "105 AMR/8000",
    "110": "110 telephone-event/8000",
}


def sdp(
    host: str, formats: str, *lines: str, port: int = 4000, more: str = "", proto: str = "RTP/AVP"
) -> Description:
    """A peer's description with one audio stream, and perhaps ``more`` m-lines after it."""
    maps = "".join(f"a=rtpmap:{MAPS[f]}\r\n" for f in formats.split() if f in MAPS)
    rest = "".join(f"{line}\r\n" for line in lines)
    head = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    return parse(f"{head}m=audio {port} {proto} {formats}\r\n{maps}{rest}{more}".encode())


def told(description: Description | None) -> Description:
    """What the peer reads of what we send it."""
    assert description is not None
    return parse(description.to_bytes())


def names(description: Description) -> list[str]:
    return [f"{codec.payload} {codec.name}/{codec.clock_rate}" for codec in description.media[0].codecs]


ALIGNED = "a=fmtp:105 octet-align=1"
"""What mobile networks offer: one codec twice, its octets packed in two ways (RFC 4867)."""


# -- a call that is bridged without an answer of ours ----------------------------------------------


def test_a_target_is_offered_the_callers_codecs_in_order_from_our_address() -> None:
    offered = told(relay_offer(sdp(CALLER, "18 0 96 98 101", "a=ptime:30"), TO_TARGET))
    assert names(offered) == [
        "18 G729/8000",
        "0 PCMU/8000",
        "96 opus/48000",
        "98 telephone-event/48000",
        "101 telephone-event/8000",
    ]
    stream = offered.media[0]
    assert (stream.host, stream.port, stream.ptime, stream.direction) == ("192.0.2.1", 20_002, 30, "sendrecv")


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (["pcmu"], ["0 PCMU/8000", "101 telephone-event/8000"]),
        (
            ["OPUS", "G729"],
            ["18 G729/8000", "96 opus/48000", "98 telephone-event/48000", "101 telephone-event/8000"],
        ),
        (["opus"], ["96 opus/48000", "98 telephone-event/48000"]),
    ],
)
def test_only_allowed_codecs_are_offered_with_the_key_presses_that_fit(
    allowed: list[str], expected: list[str]
) -> None:
    assert names(told(relay_offer(sdp(CALLER, "18 0 96 98 101"), TO_TARGET, allowed=allowed))) == expected


def test_nothing_but_plain_audio_crosses() -> None:
    offer = sdp(
        CALLER,
        "0",
        "a=rtcp-mux",
        "a=candidate:1 1 UDP 1 10.0.0.1 9 typ host",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0",
        more="m=video 4002 RTP/AVP 31\r\nm=image 4004 udptl t38\r\n",
    )
    sent = relay_offer(offer, TO_TARGET)
    assert sent is not None
    text = sent.to_bytes().decode()
    assert text.count("m=") == 1
    assert not any(word in text for word in ("rtcp-mux", "candidate", "crypto", "203.0.113"))


def test_the_answer_keeps_the_callers_numbers_and_m_lines() -> None:
    offer = sdp(
        CALLER, "96 0 101", "a=fmtp:101 0-15", more="m=video 4002 RTP/AVP 31\r\nm=image 4004 udptl t38\r\n"
    )
    answer = told(relay_answer(offer, sdp(TARGET, "102 110", "a=fmtp:110 0-11"), TO_CALLER))
    assert names(answer) == ["96 opus/48000", "101 telephone-event/8000"]
    assert answer.media[0].codecs[1].fmtp == "0-11"
    assert [(m.kind, m.port) for m in answer.media] == [("audio", 20_000), ("video", 0), ("image", 0)]


def test_the_targets_order_of_codecs_reaches_the_caller() -> None:
    answer = told(relay_answer(sdp(CALLER, "0 8 18"), sdp(TARGET, "18 0"), TO_CALLER))
    assert names(answer) == ["18 G729/8000", "0 PCMU/8000"]


def test_of_a_codec_that_is_offered_twice_the_one_is_answered_that_was_chosen() -> None:
    offer = sdp(CALLER, "104 105 101", ALIGNED)
    offered = told(relay_offer(offer, TO_TARGET))
    for chosen, lines in (("105", [ALIGNED]), ("104", []), ("105 104", [ALIGNED])):
        answer = sdp(TARGET, f"{chosen} 101", *lines)
        local = told(relay_answer(offer, answer, TO_CALLER))
        assert local.media[0].formats == f"{chosen} 101"
        assert [codec.fmtp for codec in local.media[0].codecs if codec.payload == 105] == [
            "octet-align=1" for _ in lines
        ]
        first = int(chosen.split()[0])
        for plan in (plan_for(local, offer, answer), plan_for(offered, answer, offer)):
            assert plan is not None and plan.payloads[first] == first and plan.payloads[101] == 101


def test_a_codec_that_is_offered_twice_keeps_its_two_numbers() -> None:
    offer = sdp(CALLER, "104 105 0", ALIGNED)
    offered = told(relay_offer(offer, TO_TARGET))
    again = told(relay_offer(sdp(CALLER, "0 105 104", ALIGNED), TO_TARGET, previous=offered))
    assert again.media[0].formats == "0 105 104"
    turned = sdp(CALLER, "105 104 0", "a=fmtp:104 octet-align=1")
    third = told(relay_offer(turned, TO_TARGET, previous=again)).media[0]
    assert len(set(third.formats.split())) == 3


def test_an_answer_is_in_the_place_of_the_plain_audio_line() -> None:
    offer = parse(
        sdp(CALLER, "0")
        .to_bytes()
        .replace(b"m=audio", b"m=audio 5000 RTP/SAVP 0\r\nm=video 5002 RTP/AVP 31\r\nm=audio")
    )
    answer = told(answer_locally(offer, TO_CALLER))
    assert [(m.kind, m.proto, m.port) for m in answer.media] == [
        ("audio", "RTP/SAVP", 0),
        ("video", "RTP/AVP", 0),
        ("audio", "RTP/AVP", 20_000),
    ]


def test_rtcp_mux_is_each_legs_own() -> None:
    offer = sdp(CALLER, "0", "a=rtcp-mux")
    local = answer_locally(offer, TO_CALLER)
    assert told(local).media[0].rtcp_mux
    assert plan(local, offer).rtcp_mux
    assert told(relay_answer(offer, sdp(TARGET, "0"), TO_CALLER)).media[0].rtcp_mux
    assert told(relay_offer(sdp(TARGET, "0"), TO_CALLER, previous=local)).media[0].rtcp_mux
    assert not told(answer_locally(sdp(CALLER, "0"), TO_CALLER)).media[0].rtcp_mux
    assert not plan(relay_offer(offer, TO_TARGET), sdp(TARGET, "0", "a=rtcp-mux")).rtcp_mux


def test_the_answers_profile_is_the_offers() -> None:
    assert told(answer_locally(sdp(CALLER, "0", proto="RTP/AVPF"), TO_CALLER)).media[0].proto == "RTP/AVPF"


@pytest.mark.parametrize(
    "offer",
    [
        sdp(CALLER, "0", proto="RTP/SAVP"),
        sdp(CALLER, "0", port=0),
        sdp(CALLER, "101"),
        sdp(CALLER, "120"),
        parse(b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\nm=image 4000 udptl t38\r\n"),
        parse(b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\n"),
    ],
    ids=["encrypted only", "disabled", "key presses only", "nameless", "fax only", "no media"],
)
def test_an_offer_without_usable_audio_has_no_answer(offer: Description) -> None:
    assert answer_locally(offer, TO_CALLER) is None
    assert relay_offer(offer, TO_TARGET) is None


def test_an_answer_that_shares_no_codec_is_none() -> None:
    assert relay_answer(sdp(CALLER, "0 101"), sdp(TARGET, "18 101"), TO_CALLER) is None
    assert relay_answer(sdp(CALLER, "0"), sdp(TARGET, "0", port=0), TO_CALLER) is None
    assert relay_offer(sdp(CALLER, "0"), TO_TARGET, allowed=["G729"]) is None


# -- an answer of ours -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ("0 8 101", ["0 PCMU/8000", "101 telephone-event/8000"]),
        ("18 8 0 110 101", ["8 PCMA/8000", "110 telephone-event/8000"]),
        ("96 98 0", ["0 PCMU/8000"]),
    ],
)
def test_we_answer_with_the_callers_first_g711(formats: str, expected: list[str]) -> None:
    assert names(told(answer_locally(sdp(CALLER, formats), TO_CALLER))) == expected


def test_we_answer_with_an_allowed_codec_only() -> None:
    offer = sdp(CALLER, "0 8 101")
    assert names(told(answer_locally(offer, TO_CALLER, allowed=["pcma", "G729"])))[0] == "8 PCMA/8000"
    assert answer_locally(offer, TO_CALLER, allowed=["G729"]) is None


def test_we_can_not_play_to_a_caller_without_g711() -> None:
    assert answer_locally(sdp(CALLER, "18 9 101"), TO_CALLER) is None


def test_after_our_answer_the_target_is_offered_that_codec_first() -> None:
    offer = sdp(CALLER, "18 8 0 101")
    assert names(told(relay_offer(offer, TO_TARGET, first="PCMA")))[:3] == [
        "8 PCMA/8000",
        "18 G729/8000",
        "0 PCMU/8000",
    ]


@pytest.mark.parametrize(("target", "expected"), [("8 101", False), ("0 101", True), ("18 8", True)])
def test_the_caller_is_offered_anew_only_for_another_codec(target: str, expected: bool) -> None:
    local = told(answer_locally(sdp(CALLER, "8 0 18 101"), TO_CALLER))
    assert needs_reoffer(local, sdp(TARGET, target)) is expected


def test_the_new_offer_to_the_caller_keeps_its_numbers_and_lines() -> None:
    offer = sdp(CALLER, "8 18 101", more="m=video 4002 RTP/AVP 31\r\n")
    local = answer_locally(offer, TO_CALLER)
    again = told(relay_offer(sdp(TARGET, "18 110"), TO_CALLER, previous=local))
    assert names(again) == ["18 G729/8000", "101 telephone-event/8000"]
    assert [(m.kind, m.port) for m in again.media] == [("audio", 20_000), ("video", 0)]
    assert (again.origin.sess_id, again.origin.version) == (11, 2)


def test_a_number_bound_to_another_codec_is_not_used_again() -> None:
    before = relay_offer(sdp(CALLER, "96 101"), TO_TARGET)
    again = told(
        relay_offer(parse(sdp(CALLER, "97").to_bytes().replace(b"97", b"96")), TO_TARGET, previous=before)
    )
    assert [(c.name, c.payload == 96) for c in again.media[0].codecs] == [("iLBC", False)]


def test_a_late_offer_holds_both_laws_and_key_presses() -> None:
    assert names(told(offer_ours(TO_CALLER))) == ["0 PCMU/8000", "8 PCMA/8000", "101 telephone-event/8000"]


# -- hold, resume, changes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "host", "crosses_as", "answered"),
    [
        (["a=sendonly"], CALLER, "sendonly", "recvonly"),
        (["a=inactive"], CALLER, "inactive", "inactive"),
        (["a=recvonly"], CALLER, "recvonly", "sendonly"),
        (["a=sendrecv"], CALLER, "sendrecv", "sendrecv"),
        ([], "0.0.0.0", "sendonly", "recvonly"),
        (["a=recvonly"], "0.0.0.0", "inactive", "inactive"),
    ],
)
def test_a_hold_crosses_and_even_a_careless_answer_respects_it(
    lines: list[str], host: str, crosses_as: str, answered: str
) -> None:
    offer = sdp(host, "0 101", *lines)
    assert told(relay_offer(offer, TO_TARGET)).media[0].direction == crosses_as
    careless = sdp(TARGET, "0 101", "a=sendrecv")
    assert told(relay_answer(offer, careless, TO_CALLER)).media[0].direction == answered
    assert told(answer_locally(offer, TO_CALLER)).media[0].direction == answered


def test_a_stream_switched_off_in_a_call_is_a_hold() -> None:
    before = relay_offer(sdp(CALLER, "0"), TO_TARGET)
    off = sdp(CALLER, "0", port=0)
    again = told(relay_offer(off, TO_TARGET, previous=before))
    assert (again.media[0].port, again.media[0].direction) == (20_002, "inactive")
    answer = told(relay_answer(off, sdp(TARGET, "0", "a=inactive"), TO_CALLER, previous=before))
    assert answer.media[0].port == 0


def test_the_version_grows_only_with_a_change() -> None:
    offer, held = sdp(CALLER, "0"), sdp(CALLER, "0", "a=sendonly")
    first = relay_offer(offer, TO_TARGET)
    same = relay_offer(offer, TO_TARGET, previous=first)
    hold = relay_offer(held, TO_TARGET, previous=same)
    resume = relay_offer(offer, TO_TARGET, previous=hold)
    assert [told(d).origin.version for d in (first, same, hold, resume)] == [1, 1, 2, 3]


# -- what the worker is told -----------------------------------------------------------------------


def plan(local: Description | None, remote: Description, onward: Description | None = None) -> Plan:
    assert local is not None
    made = plan_for(local, remote, onward)
    assert made is not None
    return made


def test_plans_of_a_bridge_translate_payload_numbers_both_ways() -> None:
    offer, answer = sdp(CALLER, "0 8 101"), sdp(TARGET, "8 110", port=5000)
    to_caller = plan(relay_answer(offer, answer, TO_CALLER), offer, answer)
    to_target = plan(relay_offer(offer, TO_TARGET), answer, offer)
    assert to_caller.payloads == {8: 8, 101: 110}
    # 110 besides 101: some send with the number of their own answer.
    assert to_target.payloads == {8: 8, 101: 101, 110: 101}
    assert (to_caller.event_payload, to_target.event_payload) == (101, 101)
    assert to_caller.remote == (CALLER, 4000)
    assert (to_target.remote, to_target.remote_rtcp) == ((TARGET, 5000), (TARGET, 5001))
    assert (to_caller.play_codec, to_caller.play_payload) == ("PCMA", 8)


def test_key_presses_do_not_change_their_clock() -> None:
    offer = sdp(CALLER, "96 98")
    assert plan(relay_offer(offer, TO_TARGET), sdp(TARGET, "96 98"), sdp(CALLER, "96 101")).payloads == {
        96: 96
    }
    both = sdp(CALLER, "96 101 98")
    made = plan(relay_offer(both, TO_TARGET), both, both)
    assert (made.event_payload, made.clock_rate) == (98, 48_000)


def test_a_leg_alone_plays_and_hears_keys_but_relays_nothing() -> None:
    offer = sdp(CALLER, "18 0 101", "a=ptime:30", "a=rtcp:7001")
    made = plan(answer_locally(offer, TO_CALLER), offer)
    assert made == Plan(
        remote=(CALLER, 4000),
        remote_rtcp=(CALLER, 7001),
        payloads={},
        event_payload=101,
        play_codec="PCMU",
        play_payload=0,
        ptime_ms=30,
    )


@pytest.mark.parametrize(
    ("line", "send", "receive"),
    [
        ("a=sendrecv", True, True),
        ("a=sendonly", False, True),
        ("a=recvonly", True, False),
        ("a=inactive", False, False),
    ],
)
def test_directions_are_the_peers_wish(line: str, send: bool, receive: bool) -> None:
    offer = sdp(CALLER, "0", line)
    made = plan(answer_locally(offer, TO_CALLER), offer)
    assert (made.send, made.receive) == (send, receive)
    assert made.silence_ok is not (send and receive)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "224.2.1.1", "255.255.255.255", "phone.example.com", "::", "ff02::1"]
)
def test_packets_go_to_one_machine_or_wait_for_its_first(host: str) -> None:
    offer = sdp(host, "0")
    made = plan(answer_locally(offer, TO_CALLER), offer)
    assert (made.remote, made.remote_rtcp) == (None, None)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("2001:db8::5", "2001:db8::5"),
        ("2001:0DB8:0:0::0005", "2001:db8::5"),  # as the sources of its packets will be written
        ("::ffff:192.0.2.5", "192.0.2.5"),
        ("fe80::5%eth0", "fe80::5"),
    ],
)
def test_ipv6_peers_are_reached(written: str, known: str) -> None:
    offer = sdp(written, "0")
    made = plan(answer_locally(offer, TO_CALLER), offer)
    assert (made.remote, made.remote_rtcp) == ((known, 4000), (known, 4001))
    assert receives_at(offer) == known


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "phone.example.com"])
def test_a_peer_that_names_no_address_says_nothing_of_its_family(host: str) -> None:
    for said in (sdp(host, "0"), sdp("2001:db8::5", "0", port=0), None):
        assert receives_at(said) == ""


def test_reports_are_sent_by_the_family_that_the_port_is_of() -> None:
    offer = sdp("2001:db8::5", "0", "a=rtcp:7001 IN IP4 192.0.2.5")
    assert plan(answer_locally(offer, TO_CALLER), offer).remote_rtcp is None
    offer = sdp("2001:db8::5", "0", "a=rtcp:7001 IN IP6 2001:DB8::6")
    assert plan(answer_locally(offer, TO_CALLER), offer).remote_rtcp == ("2001:db8::6", 7001)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], 20),
        (["a=ptime:60"], 60),
        (["a=ptime:33"], 20),
        (["a=ptime:9999"], 20),
        (["a=ptime:30", "a=maxptime:20"], 20),
    ],
)
def test_packet_time_is_the_peers_if_it_makes_sense(lines: list[str], expected: int) -> None:
    offer = sdp(CALLER, "0", *lines)
    assert plan(answer_locally(offer, TO_CALLER), offer).ptime_ms == expected


def test_no_plan_without_a_shared_codec() -> None:
    assert plan_for(offer_ours(TO_CALLER), sdp(CALLER, "18 101")) is None


@pytest.mark.parametrize("held", ["sendonly", "recvonly", "inactive"])
def test_whoever_was_on_hold_is_offered_without_it(held: str) -> None:
    said = sdp(CALLER, "0 101", f"a={held}")
    offered = relay_offer(resumed(said), TO_TARGET)
    assert offered is not None and b"a=sendrecv" in offered.to_bytes()
    assert f"a={held}".encode() in said.to_bytes(), "what the peer said stays as it is"
