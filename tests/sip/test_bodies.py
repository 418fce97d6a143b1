"""The session description among other parts of a body (RFC 5621): found, or all of it refused."""

import pytest

from edge.sip.attached import MAX_OCTETS, Attached, print_body
from edge.sip.bodies import MAX_PARTS, only_description
from edge.sip.events import Answered
from edge.sip.message import Headers, Request
from tests.support.lossy_wire import SDP, Network, Node, Peer

ISUP = b"Content-Type: application/isup\r\nContent-Disposition: signal;handling={}\r\n\r\n\x01\x00\r\n\x7f"
OPTIONAL, REQUIRED = ISUP.replace(b"{}", b"optional"), ISUP.replace(b"{}", b"required")
REST = b"\r\n\r\n" + SDP
CARD = b"Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nEND:VCARD"
OFFER = b"Content-Type: application/sdp\r\n\r\n" + SDP
EARLY = (
    b"Content-Type: application/sdp\r\nContent-Disposition: early-session;handling=optional\r\n\r\nv=1\r\n"
)


def joined(*parts: bytes, boundary: str = "b1", end: bytes = b"--\r\n") -> bytes:
    line = b"\r\n--" + boundary.encode()
    return b"a preamble" + b"".join([line + b"\r\n" + part for part in parts]) + line + end


def nested(body: bytes, boundary: str, kind: str = "mixed") -> bytes:
    return f"Content-Type: multipart/{kind};boundary={boundary}\r\n\r\n".encode() + body


def read(body: bytes, kind: str = "multipart/mixed;boundary=b1", **more: str) -> tuple[bytes, int]:
    """What is left of the body, and the status that refuses it (0: none)."""
    lines = [("Content-Type", kind), *((name.replace("_", "-"), value) for name, value in more.items())]
    request = Request("INVITE", "sip:a@b.example", Headers(lines), body)
    refused = only_description(request)
    return request.body, refused[0] if refused else 0


THREE_DEEP = nested(joined(OFFER, boundary="b3"), "b3")


@pytest.mark.parametrize(
    "body",
    [
        joined(OFFER),
        joined(OFFER, OPTIONAL),
        joined(OPTIONAL, CARD, OFFER),
        joined(EARLY, OFFER),
        joined(OFFER, EARLY),
        joined(nested(joined(OFFER, CARD, boundary="b2"), "b2"), OPTIONAL),
        joined(nested(joined(CARD, OFFER, boundary="b 2"), '"b 2"', "alternative")),
        joined(b"content-disposition: session;handling=REQUIRED\r\nCONTENT-TYPE:\r\n Application/SDP" + REST),
        joined(*[CARD] * (MAX_PARTS - 1), OFFER),
        joined(OFFER, end=b"--"),
        joined(OFFER, end=b"-- \r\nan epilogue\r\n--b1\r\n"),
        joined(b"\r\nsome text", OFFER),
    ],
)  # fmt: skip
def test_the_description_is_found(body: bytes) -> None:
    found, status = read(body)
    assert (found.rstrip(), status) == (SDP.rstrip(), 0)


def test_a_quoted_boundary_is_that_without_quotes() -> None:
    assert read(joined(OFFER, boundary="a/b?c"), 'multipart/mixed; boundary="a/b?c"')[0].startswith(b"v=0")


@pytest.mark.parametrize("body", [joined(OPTIONAL), joined(CARD), joined(EARLY)])
def test_without_a_description_there_is_no_offer(body: bytes) -> None:
    assert read(body) == (b"", 0)


@pytest.mark.parametrize(
    "body",
    [
        joined(OFFER, REQUIRED),
        joined(REQUIRED, OFFER),
        joined(OFFER, b"Content-Type: a/b\r\nContent-Disposition: signal\r\n\r\nx"),
        joined(OFFER, nested(joined(REQUIRED, boundary="b2"), "b2")),
        joined(b"Content-Transfer-Encoding: base64\r\nContent-Disposition: session\r\n" + OFFER),
        joined(nested(joined(REQUIRED, CARD, boundary="b2"), "b2", "alternative")),
    ],
)  # fmt: skip
def test_what_must_be_understood_and_is_not_is_415(body: bytes) -> None:
    assert read(body) == (b"", 415)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (joined(OFFER), "multipart/mixed"),
        (joined(OFFER), "multipart/mixed;boundary="),
        (joined(OFFER), 'multipart/mixed;boundary=""'),
        (joined(OFFER), f"multipart/mixed;boundary={'b' * 71}"),
        (joined(OFFER), "multipart/mixed;boundary=b1;boundary=b2"),
        (joined(OFFER), "multipart/mixed;boundary=other"),
        (joined(OFFER, end=b""), "multipart/mixed;boundary=b1"),
        (joined(OFFER), "multipart/mixed;boundary=b"),
        (joined(*[CARD] * MAX_PARTS, OFFER), "multipart/mixed;boundary=b1"),
        (joined(*[CARD] * 5000), "multipart/mixed;boundary=b1"),
        (joined(b"X: " + b"x" * 3000 + b"\r\n" + OFFER), "multipart/mixed;boundary=b1"),
        (joined(b"no header\r\n\r\n" + SDP), "multipart/mixed;boundary=b1"),
        (joined(nested(joined(THREE_DEEP, boundary="b2"), "b2")), "multipart/mixed;boundary=b1"),
    ],
)  # fmt: skip
def test_what_is_no_multipart_or_too_much_of_one_is_400(body: bytes, kind: str) -> None:
    assert read(body, kind) == (b"", 400)


def test_a_body_that_stands_alone_must_be_understood_unless_it_says_otherwise() -> None:
    assert read(b"\x01", "application/isup") == (b"", 415)
    assert read(b"\x01", "application/isup", Content_Disposition="signal;handling=optional") == (b"", 0)
    assert read(SDP, "application/sdp", Content_Disposition="session;handling=required") == (SDP, 0)
    assert read(SDP, "application/sdp", Content_Encoding="gzip") == (b"", 415)


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1")


@pytest.fixture
def peer(net: Network) -> Peer:
    return net.peer("192.0.2.2")


MIXED = "Content-Type: multipart/mixed;boundary=b1\n"


def test_a_call_brings_its_offer_among_others_and_its_answer_too(us: Node, peer: Peer, net: Network) -> None:
    peer.request("INVITE", us, headers=MIXED, body=joined(OPTIONAL, OFFER))
    assert us.calls[0].offer.rstrip() == SDP.rstrip()
    peer.request("INVITE", us, call_id="c2", headers=MIXED, body=joined(REQUIRED, OFFER))
    assert peer.statuses()[-1] == 415
    assert "application/sdp" in (peer.got[-1].headers.get("Accept") or "")


def test_a_targets_answer_is_found_and_one_that_can_not_be_read_is_none(
    us: Node, peer: Peer, net: Network
) -> None:
    for body, expected in ((joined(OFFER, OPTIONAL), SDP.rstrip()), (b"nonsense", b"")):
        usage = us.dial(peer)
        net.run(0.01)
        invite = peer.requests("INVITE")[-1]
        data = body.decode("latin-1")
        kept = "".join(f"{n}: {v}\n" for n, v in invite.headers if n in ("Via", "From", "Call-ID", "CSeq"))
        head = f"SIP/2.0 200 OK\n{kept}To: <sip:sales@192.0.2.2>;tag=x\nContact: <sip:a@192.0.2.2>\n{MIXED}"
        text = f"{head}Content-Length: {len(body)}\n\n".replace("\n", "\r\n")
        peer.send(text.encode() + data.encode("latin-1"), us)
        (answered,) = [event for event in us.heard[usage] if isinstance(event, Answered)]
        assert answered.sdp.rstrip() == expected


LOCATION = (
    b"Content-Type: application/pidf+xml\r\nContent-ID: <at@pbx.example>\r\nX-Odd: 1\r\n\r\n<presence/>"
)


def beside(body: bytes, kind: str = "multipart/mixed;boundary=b1", method: str = "INVITE") -> list[Attached]:
    request = Request(method, "sip:a@b.example", Headers([("Content-Type", kind)]), body)
    assert only_description(request) is None
    return list(request.attached)


def test_what_stands_beside_an_offer_is_kept_as_it_came() -> None:
    isup, location = beside(joined(OPTIONAL, OFFER, nested(joined(LOCATION, boundary="b2"), "b2")))
    assert isup == Attached(
        "application/isup",
        (("Content-Type", "application/isup"), ("Content-Disposition", "signal;handling=optional")),
        b"\x01\x00\r\n\x7f",
    )
    assert location.headers == (("Content-Type", "application/pidf+xml"), ("Content-Id", "<at@pbx.example>"))
    assert beside(joined(OFFER), method="INVITE") == beside(joined(OFFER, CARD), method="UPDATE") == []


def test_what_is_there_instead_of_an_offer_is_not_kept() -> None:
    assert beside(joined(CARD, OFFER), "multipart/alternative;boundary=b1") == []


def test_no_more_is_kept_than_has_room() -> None:
    big = b"Content-Type: a/big\r\n\r\n" + b"x" * MAX_OCTETS
    assert [part.kind for part in beside(joined(big, CARD, OFFER))] == ["text/vcard"]


def test_it_is_printed_and_read_again(us: Node, peer: Peer) -> None:
    kept = tuple(beside(joined(OPTIONAL, CARD, OFFER)))
    us.dial(peer, attached=kept)
    us.net.run(0.01)
    (invite,) = peer.requests("INVITE")
    assert invite.headers.get("MIME-Version") == "1.0"
    assert (invite.headers.get("Content-Type") or "").startswith("multipart/mixed;boundary=")
    assert only_description(invite) is None
    assert (invite.body, invite.attached) == (SDP, kept)


def test_no_header_of_a_part_becomes_two() -> None:
    odd = b"Content-Type: text/vcard\r\nContent-ID: <a\rX: 1\nY: 2\x00>\r\n\r\n1"
    kind, body = print_body(SDP, beside(joined(odd, OFFER)), "b1")
    assert b"Content-Id: <aX: 1Y: 2>\r\n\r\n1\r\n--b1--\r\n" in body and kind.endswith("boundary=b1")


def test_what_is_carried_on_need_not_be_understood() -> None:
    request = Request(
        "INVITE", "sip:a@b.example", Headers([("Content-Type", "multipart/mixed;boundary=b1")]),
        joined(OFFER, REQUIRED),
    )  # fmt: skip
    assert only_description(request, lambda kind: kind == "application/isup") is None
    assert [part.kind for part in request.attached] == ["application/isup"]
    assert ("Content-Disposition", "signal;handling=required") in request.attached[0].headers


def test_a_body_that_stands_alone_goes_on_with_the_headers_that_it_had() -> None:
    request = Request("INVITE", "sip:a@b.example", Headers([("Content-Type", "application/isup")]), b"\x01")
    assert only_description(request, lambda kind: kind == "application/isup") is None
    assert [part.headers for part in request.attached] == [(("Content-Type", "application/isup"),)]
