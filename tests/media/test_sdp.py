"""What the SDP parser makes of peers' bodies (RFC 8866), tidy and sloppy ones."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media.codecs import Codec
from edge.media.sdp import MAX_BYTES, MAX_LINES, Description, MediaDescription, Origin, SdpError, parse
from tests.fuzz import sdp as fuzz

CARRIER = b"""v=0
o=- 20518 3 IN IP4 203.0.113.1
s=a call
i=unknown lines are left alone
c=IN IP4 203.0.113.1
b=AS:84
t=0 0
a=group:BUNDLE audio
m=audio 54400 RTP/AVP 0 8 18 96 101
a=rtpmap:0 PCMU/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:96 opus/48000/2
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:30
a=maxptime:60
a=rtcp:53020 IN IP4 203.0.113.2
a=rtcp-mux
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0
a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host
a=sendonly
m=video 0 RTP/AVP 31
m=image 54402 udptl t38
"""


def audio(body: bytes) -> MediaDescription:
    return parse(body).media[0]


def small(*lines: str) -> bytes:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
    return "\r\n".join([*head, *lines, ""]).encode()


def test_a_carriers_body_is_read_whole() -> None:
    description = parse(CARRIER)
    stream = description.media[0]
    assert description.origin == Origin("-", 20518, 3, "203.0.113.1")
    assert (stream.kind, stream.port, stream.proto, stream.host) == ("audio", 54400, "RTP/AVP", "203.0.113.1")
    assert stream.codecs == (
        Codec(0, "PCMU", 8000),
        Codec(8, "PCMA", 8000),
        Codec(18, "G729", 8000, "", "annexb=no"),
        Codec(96, "opus", 48000, "2"),
        Codec(101, "telephone-event", 8000, "", "0-15"),
    )
    assert (stream.ptime, stream.maxptime, stream.direction) == (30, 60, "sendonly")
    assert stream.rtcp == ("203.0.113.2", 53020)
    assert stream.rtcp_mux
    assert [(m.kind, m.port, m.formats) for m in description.media[1:]] == [
        ("video", 0, "31"),
        ("image", 54402, "t38"),
    ]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\n\n", b"\r\n\r\n"])
def test_any_line_end_is_taken(end: bytes) -> None:
    assert parse(CARRIER.replace(b"\n", end)).to_bytes() == parse(CARRIER).to_bytes()


def test_lines_may_stand_in_any_order() -> None:
    body = b"a=inactive\nt=0 0\nc=IN IP4 192.0.2.9\no=- 7 8 IN IP4 192.0.2.1\ns=-\nv=0\n"
    stream = audio(body + b"m=audio 4000 RTP/AVP 101 0\na=fmtp:101 0-11\na=rtpmap:101 telephone-event/8000\n")
    assert (stream.host, stream.direction) == ("192.0.2.9", "inactive")
    assert stream.codecs[0] == Codec(101, "telephone-event", 8000, "", "0-11")


def test_a_stream_says_otherwise_than_the_description() -> None:
    stream = audio(small("a=sendonly", "m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::7", "a=recvonly"))
    assert (stream.host, stream.direction) == ("2001:db8::7", "recvonly")
    assert audio(small("a=sendonly", "m=audio 4000 RTP/AVP 0")).direction == "sendonly"


def test_only_static_numbers_need_no_rtpmap() -> None:
    assert [codec.name for codec in audio(small("m=audio 4000 RTP/AVP 9 97 13 18")).codecs] == [
        "G722",
        "CN",
        "G729",
    ]


def test_an_rtpmap_wins_over_the_static_table() -> None:
    assert audio(small("m=audio 4000 RTP/AVP 4", "a=rtpmap:4 G7231/8000")).codecs[0].name == "G7231"


def test_a_number_listed_twice_counts_once() -> None:
    assert [c.payload for c in audio(small("m=audio 4000 RTP/AVP 0 8 0")).codecs] == [0, 8]


def test_formats_of_other_protocols_are_no_payload_numbers() -> None:
    assert audio(small("m=image 4000 udptl t38")).codecs == ()


@pytest.mark.parametrize(
    "line",
    [
        "a=rtpmap:97 opus",
        "a=rtpmap:97 opus/0x10",
        "a=rtpmap",
        "a=rtcp:99999",
        "a=rtcp:",
        "a=ptime:x",
        "a=fmtp:",
    ],
)
def test_attributes_that_make_no_sense_do_not_cost_the_call(line: str) -> None:
    stream = audio(small("m=audio 4000 RTP/AVP 97 0", line))
    assert ([codec.name for codec in stream.codecs], stream.rtcp, stream.ptime) == (["PCMU"], None, 0)


def test_spaces_in_odd_places_are_taken() -> None:
    stream = audio(
        small("m=audio  4000 RTP/AVP 101 0 ", "a=rtpmap: 101 telephone-event/8000 ", "a=fmtp:101  0-15 ")
    )
    assert stream.codecs[0] == Codec(101, "telephone-event", 8000, "", "0-15")


def test_odd_lines_of_other_media_do_not_cost_the_call() -> None:
    description = parse(small("m=video 4000 RTP/AVP * 300", "m=audio 4000 RTP/AVP 0"))
    assert [media.kind for media in description.media] == ["video", "audio"]


def test_attributes_known_from_another_call_do_not_carry_its_address() -> None:
    lines = ("a=rtpmap:0 PCMU/8000",)
    first = parse(small("m=audio 4000 RTP/AVP 0", *lines))
    second = parse(small("m=audio 5000 RTP/AVP 0", *lines).replace(b"192.0.2.1", b"192.0.2.2"))
    assert [(d.media[0].host, d.media[0].port) for d in (first, second)] == [
        ("192.0.2.1", 4000),
        ("192.0.2.2", 5000),
    ]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (b"o=- 20518 3", b"o=- 20518 4", True),
        (b"b=AS:84", b"b=AS:85", True),
        (b"a=sendonly", b"a=sendrecv", False),
        (b"54400", b"54402", False),
        (b"c=IN IP4 203.0.113.1", b"c=IN IP4 0.0.0.0", False),
        (b"8 18 96", b"18 8 96", False),
        (b"m=image 54402", b"m=image 0", False),
    ],
)
def test_a_change_of_the_streams_shows_whatever_o_says(old: bytes, new: bytes, same: bool) -> None:
    assert parse(CARRIER).same_media(parse(CARRIER.replace(old, new, 1))) is same


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "v=0"),
        (b"hello", "v=0"),
        (b"v=1\no=- 1 1 IN IP4 192.0.2.1\n", "v=0"),
        (b"v=0\ns=-\n", "no o="),
        (b"v=0\no=- 1 1 IN\n", "o= line is incomplete"),
        (b"v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4\n", "c= line is incomplete"),
        (small("m=audio 4000 RTP/AVP"), "m= line is incomplete"),
        (small("m=audio 65536 RTP/AVP 0"), "no port"),
        (small("m=audio -1 RTP/AVP 0"), "no port"),
        (small("m=audio ４０００ RTP/AVP 0"), "no port"),
        (small("m=audio 4000 RTP/AVP 128"), "payload type"),
        (small("m=audio 4000 RTP/AVP 0 x"), "payload type"),
        (small("a=x\0y"), "NUL"),
        (small("a=" + "x" * 9000), "line longer"),
        (small(*["a=x"] * MAX_LINES), "lines"),
        (small(*["a=" + "x" * 7000] * 10) + b"x" * (MAX_BYTES - 60_000), "octets"),
    ],
)
def test_what_is_no_description_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(SdpError, match=reason):
        parse(body)


@given(st.binary(max_size=400))
def test_any_bytes_raise_nothing_else(data: bytes) -> None:
    fuzz.check(data)


@given(
    st.lists(st.sampled_from(CARRIER.split(b"\n")), max_size=40), st.binary(max_size=12), st.integers(0, 400)
)
def test_any_shuffle_of_real_lines_raises_nothing_else(lines: list[bytes], noise: bytes, at: int) -> None:
    body = b"\r\n".join([b"v=0", b"o=- 1 1 IN IP4 192.0.2.1", *lines])
    fuzz.check(body[:at] + noise + body[at:])


TOKENS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=10)
CODECS = st.tuples(
    st.integers(96, 127), TOKENS, st.integers(1, 192_000), st.sampled_from(["", "1", "2"]), TOKENS
).map(lambda fields: Codec(*fields))


@given(
    st.lists(CODECS, min_size=1, max_size=8, unique_by=lambda codec: codec.payload),
    st.integers(1, 65535),
    st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
    st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    st.integers(0, 2**63),
)
def test_what_is_printed_reads_back(codecs, port, direction, host, version) -> None:  # type: ignore[no-untyped-def]
    formats = " ".join(str(codec.payload) for codec in codecs)
    media = MediaDescription(
        "audio", port, "RTP/AVP", formats, host=host, codecs=tuple(codecs), direction=direction
    )
    again = parse(Description(Origin("-", 5, version, host), host, [media]).to_bytes())
    assert again.origin == Origin("-", 5, version, host)
    stream = again.media[0]
    assert (stream.codecs, stream.port, stream.direction, stream.host) == (
        tuple(codecs),
        port,
        direction,
        host,
    )
