"""What is remembered of peers' descriptions, against reading them anew."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from edge.media.familiar import read
from edge.media.sdp import Description, SdpError, parse

ABOVE = st.sampled_from(
    ["s=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0", "s=-\r\nt=0 0\r\na=sendonly", "s=x\no=- 1 1 IN IP4 192.0.2.8",
     "c=x", "s=-\r\nm=video 9 RTP/AVP 99", "s=-\rm=video 9 RTP/AVP 99\rc=IN IP4 192.0.2.9", "v=1", "s=-\0"]
)  # fmt: skip
BELOW = st.sampled_from(
    ["RTP/AVP 0 8\r\n", "RTP/AVP 0\r\na=ptime:30\r\na=rtcp:53020\r\n", "RTP/AVP 300\r\n", "",
     "RTP/SAVP 0\r\nm=audio 0 RTP/AVP 8\r\n", "RTP/AVP 0\nm=audio 7000 RTP/AVP 8\na=inactive"]
)  # fmt: skip


@given(
    st.sampled_from(["-", "bob", "\u00e9", "a\x1cb"]),
    st.integers(0, 10**21),
    st.integers(0, 70_000),
    ABOVE,
    BELOW,
)
def test_what_is_remembered_of_a_peer_is_what_would_be_read(
    name: str, number: int, port: int, above: str, below: str
) -> None:
    data = f"v=0\r\no={name} {number} 7 IN IP4 192.0.2.1\r\n{above}\r\nm=audio {port} {below}".encode()
    parsed, remembered = _said(parse, data), _said(read, data)
    assert remembered == parsed
    assert _said(read, data) == parsed


def _said(reader: Callable[[bytes], Description], data: bytes) -> object:
    try:
        made = reader(data)
    except SdpError:
        return None
    audio = made.media.index(made.audio) if made.audio is not None else None
    return made.origin, made.host, [media.says() for media in made.media], audio
