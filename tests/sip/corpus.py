"""Messages of our own writing: what peers send that is odd but right, and what is wrong.

They cover the points of RFC 4475 and RFC 5118 and of the limits in ``edge/sip/parser.py``.
"""

from typing import NamedTuple

BODY = b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

_FIELDS = {
    "Via": "SIP/2.0/UDP 192.0.2.7:5061;rport;branch=z9hG4bKk7",
    "From": '"Ann Lee" <sip:+12125550123@192.0.2.7>;tag=a1',
    "To": "<sip:+18005550100@edge.test>",
    "Call-ID": "c0ffee@192.0.2.7",
    "CSeq": "7 INVITE",
    "Max-Forwards": "70",
    "Contact": "<sip:ann@192.0.2.7:5061>",
    "Content-Type": "application/sdp",
}


def lines(**changes: str | None) -> list[str]:
    """The header lines of a sound INVITE; a change replaces a value, None leaves the line out.

    Underscores in a keyword stand for hyphens; unknown names are added at the end.
    """
    fields: dict[str, str | None] = dict(_FIELDS)
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    return [f"{name}: {value}" for name, value in fields.items() if value is not None]


def message(start: str, head: list[str], body: bytes = b"", length: str | None = "") -> bytes:
    """Bytes of a message; ``length`` is the Content-Length, empty for the true one, None for none."""
    tail = [] if length is None else [f"Content-Length: {length or len(body)}"]
    return "\r\n".join([start, *head, *tail, "", ""]).encode("utf-8", "surrogateescape") + body


def invite(start: str = "INVITE sip:+18005550100@edge.test SIP/2.0", **changes: str | None) -> bytes:
    """A sound INVITE with some headers changed."""
    return message(start, lines(**changes), BODY)


def _params(count: int) -> str:
    return "".join(f";p{n}=v" for n in range(count))


class Wrong(NamedTuple):
    """A message to refuse: with ``status``, or in silence (0)."""

    name: str
    data: bytes
    status: int


def _register(*more: str) -> bytes:
    return message("REGISTER sip:edge.test SIP/2.0", [*lines(CSeq="1 REGISTER", Contact=None), *more])


def _described(*addresses: str) -> bytes:
    """An INVITE whose description names these addresses, a stream for each."""
    first = addresses[0]
    head = f"v=0\r\no=- 1 1 IN {_family(first)} {first}\r\ns=-\r\nt=0 0\r\n"
    media = (f"m=audio 4000 RTP/AVP 0\r\nc=IN {_family(host)} {host}\r\n" for host in addresses)
    return message("INVITE sip:+18005550100@edge.test SIP/2.0", lines(), (head + "".join(media)).encode())


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def _options(uri: str, **changes: str | None) -> bytes:
    return invite(f"OPTIONS {uri} SIP/2.0", CSeq="1 OPTIONS", **changes)


# What every peer may send: accepted as it stands.
RIGHT: dict[str, bytes] = {
    "plain": invite(),
    "compact names": message(
        "INVITE sip:a@edge.test SIP/2.0",
        [
            "v: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK1",
            "f: <sip:x@y.test>;tag=1",
            "t: sip:a@edge.test",
            "i: 1",
            "CSeq: 1 INVITE",
            "m: <sip:x@y.test>",
            "c: application/sdp",
            "k: timer",
        ],
        BODY,
    ),
    "any case of names": message(
        "BYE sip:a@edge.test SIP/2.0",
        [
            "vIA: SIP/2.0/UDP y.test;branch=z9hG4bK1",
            "fROM: <sip:x@y.test>;tag=1",
            "tO: <sip:a@edge.test>;tag=2",
            "call-Id: 1",
            "cseq: 2 BYE",
        ],
    ),
    "folded and spaced": (
        b"INVITE sip:a@edge.test SIP/2.0\r\n"
        b"Via\t :  SIP / 2.0\r\n /UDP\r\n\t192.0.2.7 : 5061 ; branch = z9hG4bK1\r\n"
        b'TO :\r\n <sip:a@edge.test> ;\r\n  tag = t1\r\nFrom: "A\\"nn" \r\n <sip:x@y.test>;\r\n tag=1\r\n'
        b"Call-ID: 1\r\nCSeq: 0007\r\n  INVITE\r\nMax-Forwards: 0068\r\nSubject:\r\n\r\n"
    ),
    "strange method": invite("!odd-Method0_*+`.%'~ sip:a@edge.test SIP/2.0", CSeq="1 !odd-Method0_*+`.%'~"),
    "escaped method is another method": invite("B%59E sip:a@edge.test SIP/2.0", CSeq="1 B%59E"),
    "escapes in the user": _options("sip:sips%3Auser%40example.test@edge.test"),
    "escaped NUL": _options("sip:null-%00-null@edge.test", To="<sip:null-%00-null@edge.test>"),
    "raw NUL and controls in a quoted name": invite(
        To='"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:a@edge.test>'
    ),
    "bytes that are no UTF-8": invite(Subject="\udcff\udc80", From='"\udcfe" <sip:x@y.test>;tag=1'),
    "UTF-8 names": invite(From='"Jürgen Ωmega" <sip:x@y.test>;tag=1', X_Name="Ünïcode"),
    "name next to the bracket": invite(To="caller<sip:a@edge.test>"),
    "unquoted name with a comma": invite(From="LEE, ANN <sip:x@y.test>;tag=1"),
    "semicolon in the user": _options("sip:user;par=u%40example.test@edge.test"),
    "many transports": _options(
        "sip:a@edge.test",
        Via="SIP/2.0/UDP t1.test;branch=z9hG4bK1, SIP/2.0/SCTP t2.test;branch=z9hG4bK2,"
        "SIP/2.0/TLS t3.test, SIP/2.0/UNKNOWN t4.test, SIP/2.0/TCP t5.test",
    ),
    "long values": invite(Call_ID="x" * 8000, From=f"<sip:x@y.test>;tag={'t' * 8000}"),
    "70 Vias": invite(Via=", ".join(f"SIP/2.0/UDP h{n}.test;branch=z9hG4bK{n}" for n in range(70))),
    "256 headers": message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *["X-A: 1"] * 248], length=None),
    "as many parameters as may be": invite(
        f"INVITE sip:a@edge.test{_params(100)} SIP/2.0",
        From=f"<sip:x@y.test>;tag=1{_params(99)}",
        To=f'<sip:a@edge.test>;x="y"{_params(98)}',
        Via=f"SIP/2.0/UDP a.test;branch=z9hG4bK1{_params(98)}",
    ),
    "folded into 1,000 lines": invite(Subject="a" + "\r\n x" * 1000),
    "bytes after the body": message("INVITE sip:a@edge.test SIP/2.0", lines(), BODY) + b"INVITE trailing",
    "line breaks first": b"\r\n\r\n" + invite(),
    "no tag, no branch, no Max-Forwards (RFC 2543)": invite(
        Via="SIP/2.0/UDP 192.0.2.7", From="<sip:x@y.test>", Max_Forwards=None
    ),
    "branch without an id": _options("sip:a@edge.test", Via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK"),
    "tel target": invite("INVITE tel:+1-800-555-0100;phone-context=+1 SIP/2.0"),
    "sips target": invite("INVITE sips:a@edge.test SIP/2.0"),
    "other schemes elsewhere": invite(To="isbn:2983792873", From="<http://www.example.test>;tag=1"),
    "number portability": invite("INVITE sip:+18005550100;npdi;rn=+18005550199@edge.test;user=phone SIP/2.0"),
    "IPv6": _options("sip:a@[2001:db8::10]:5070", Via="SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK1"),
    "IPv6 with IPv4 in it": _options("sip:[::ffff:192.0.2.10]", Via="SIP/2.0/UDP [::ffff:192.0.2.2]:19823"),
    "IPv6 received, bare": _options(
        "sip:a@edge.test", Via="SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bK1"
    ),
    "IPv6 received, in brackets": _options(
        "sip:a@edge.test", Via="SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bK1"
    ),
    "headers in the target": invite("INVITE sip:a@edge.test?Route=%3Csip:b.test%3E SIP/2.0"),
    "odd Date": invite(Date="Fri, 01 Jan 2010 16:00:00 EST"),
    "unknown headers": invite(X_Unknown_=";;,,;,;", C_x="{<}"),
    "empty values": invite(Subject="", Supported=""),
    "version in lower case": invite("INVITE sip:a@edge.test sip/2.0"),
    "no Content-Length in a datagram": message("INVITE sip:a@edge.test SIP/2.0", lines(), BODY, length=None),
    "IPv6, the port inside the brackets": _options("sip:a@[2001:db8::10:5070]"),
    "IPv6 in two colons and IPv4": _options("sip:a@[2001:db8::192.0.2.1]"),
    "IPv6 and IPv4 in the Vias": _options(
        "sip:a@edge.test",
        Via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1, SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bK2",
    ),
    "IPv6 described": _described("2001:db8::9:1"),
    "IPv6 with IPv4 in it described": _described("::ffff:192.0.2.7"),
    "both kinds of addresses described": _described("192.0.2.7", "2001:db8::9:1"),
    "contact with an escaped Route": _register("Contact: <sip:a@y.test?Route=%3Csip:z.test%3E>"),
    "contact with a question mark and no brackets": _register("Contact: sip:a@y.test?Route=%3Csip:z.test%3E"),
    "contact parameter that nobody knows": _register("Contact: sip:a@y.test;unknown"),
    "parameter of the contact's URI that nobody knows": _register("Contact: <sip:a@y.test;unknown>"),
    "credentials of a scheme that nobody knows": _register("Authorization: NoOne opaque=(data)"),
    "extensions that nobody knows": _options(
        "sip:a@edge.test", Require="nothing-like-it, nor-this", Proxy_Require="nor-that"
    ),
    "body that nobody knows": invite(Content_Type="application/unknown"),
    "answers wanted in another language": invite(Accept="text/other"),
    "last hop": _options("sip:a@edge.test", Max_Forwards="0"),
    "binary body": message("MESSAGE sip:a@edge.test SIP/2.0", lines(CSeq="1 MESSAGE"), bytes(range(256)) * 2),
}

_ISUP = b"Content-Type: application/ISUP;version=ansi00\r\nContent-Disposition: signal;handling=%b\r\n"
_PARTS = b"--b7\r\nContent-Type: application/sdp\r\n\r\n" + BODY + b"\r\n--b7\r\n"
MIXED = _PARTS + _ISUP % b"optional" + b"\r\n\x01\x02\x00\r\n--b7--\r\n"
SIGNALLED = _PARTS + _ISUP % b"required" + b"\r\n\x01\x02\x00\r\n--b7--\r\n"
MULTIPARTS: list[bytes] = [
    b"multipart/mixed;boundary=b7\n" + MIXED,
    b"multipart/alternative; boundary=\"b7\"\n" + SIGNALLED,
    b"multipart/mixed;boundary=out\n--out\r\nContent-Type: multipart/related;boundary=b7\r\n\r\n"
    + MIXED + b"\r\n--out\r\n\r\ntext\r\n--out--",
]  # fmt: skip
"""Bodies behind their Content-Type."""


def _carrying(body: bytes, kind: str = "multipart/mixed;boundary=b7") -> bytes:
    return message("INVITE sip:+18005550100@edge.test SIP/2.0", lines(Content_Type=kind), body)


RIGHT |= {
    "ISUP beside the description": _carrying(MIXED),
    "ISUP that must be understood": _carrying(SIGNALLED),
    "a multipart without a boundary": _carrying(MIXED, "multipart/mixed"),
    "a multipart that does not end": _carrying(MIXED[:-8]),
    "a multipart with another boundary": _carrying(MIXED, "multipart/mixed;boundary=b"),
    "ISUP alone that need not be understood": message(
        "INVITE sip:+18005550100@edge.test SIP/2.0",
        [*lines(Content_Type="application/ISUP"), "Content-Disposition: signal;handling=optional"],
        b"\x01",
    ),
    "compressed": message(
        "INVITE sip:+18005550100@edge.test SIP/2.0", [*lines(), "Content-Encoding: gzip"], b"\x1f\x8b"
    ),
}
"""Sound messages, whatever their bodies: the parser takes them."""

RESPONSES: dict[str, bytes] = {
    "plain": message("SIP/2.0 200 OK", lines(), BODY),
    "UTF-8 reason": message("SIP/2.0 200 = 2**3 * 5**2 сто девяносто девять", lines()),
    "empty reason": message("SIP/2.0 100 ", lines()),
    "no space after the status": message("SIP/2.0 100", lines()),
    "unknown status": message("SIP/2.0 699 Odd", lines()),
    "broadcast Via": message("SIP/2.0 200 OK", lines(Via="SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1")),
}

WRONG: list[Wrong] = [
    Wrong("unknown scheme", invite("INVITE nobodyKnowsThis:totally SIP/2.0"), 416),
    Wrong("scheme with a dot", invite("INVITE soap.beep://192.0.2.103:3002 SIP/2.0"), 416),
    Wrong("other version", invite("INVITE sip:a@edge.test SIP/7.0"), 505),
    Wrong(
        "other version, in Via too",
        invite("INVITE sip:a@edge.test SIP/7.0", Via="SIP/7.0/UDP y.test;branch=z9hG4bK1"),
        505,
    ),
    Wrong("brackets around the target", invite("INVITE <sip:a@edge.test> SIP/2.0"), 400),
    Wrong("spaces in the target", invite("INVITE sip:a@edge.test; lr SIP/2.0"), 400),
    Wrong("several spaces", invite("INVITE  sip:a@edge.test  SIP/2.0"), 400),
    Wrong("space at the end", invite("INVITE sip:a@edge.test SIP/2.0 "), 400),
    Wrong("no version", invite("INVITE sip:a@edge.test"), 400),
    Wrong("method that is no token", invite('IN"VITE sip:a@edge.test SIP/2.0', CSeq='1 IN"VITE'), 400),
    Wrong("no host", invite("INVITE sip: SIP/2.0"), 400),
    Wrong("IPv6 without brackets", invite("INVITE sip:2001:db8::10 SIP/2.0"), 400),
    Wrong("three colons", invite("INVITE sip:a@[2001:db8:::192.0.2.1] SIP/2.0"), 400),
    Wrong("port 0", invite("INVITE sip:a@edge.test:0 SIP/2.0"), 400),
    Wrong("port 65536", invite("INVITE sip:a@edge.test:65536 SIP/2.0"), 400),
    Wrong("parameter twice", invite("INVITE sip:a@edge.test;lr;lr SIP/2.0"), 400),
    Wrong("no Call-ID", invite(Call_ID=None), 400),
    Wrong("empty Call-ID", invite(Call_ID=""), 400),
    Wrong("no From", invite(From=None), 400),
    Wrong("no To", invite(To=None), 400),
    Wrong("no CSeq", invite(CSeq=None), 400),
    Wrong("CSeq of another method", invite(CSeq="7 OPTIONS"), 400),
    Wrong("neither Call-ID nor From nor To", invite(Call_ID=None, From=None, To=None), 400),
    Wrong("unknown method, CSeq of another", invite("DANCE sip:a@edge.test SIP/2.0"), 400),
    Wrong(
        "everything twice",
        message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *lines(Via=None, Call_ID="other")], BODY),
        400,
    ),
    Wrong("CSeq too big", invite(CSeq="4294967296 INVITE"), 400),
    Wrong("CSeq negative", invite(CSeq="-1 INVITE"), 400),
    Wrong("CSeq in other digits", invite(CSeq="١ INVITE"), 400),
    Wrong("CSeq without method", invite(CSeq="7"), 400),
    Wrong("Max-Forwards too big", invite(Max_Forwards="300"), 400),
    Wrong("Max-Forwards no number", invite(Max_Forwards="many"), 400),
    Wrong("quote left open", invite(To='"Mr. J. User <sip:a@edge.test>'), 400),
    Wrong("spaces inside the brackets", invite(To="< sip:a@edge.test >"), 400),
    Wrong("bracket left open", invite(To="<sip:a@edge.test"), 400),
    Wrong("question mark without brackets", invite(From="sip:x@y.test?Route=a;tag=1"), 400),
    Wrong("two tags", invite(From="<sip:x@y.test>;tag=1;tag=2"), 400),
    Wrong("tag without a value", invite(To="<sip:a@edge.test>;tag;2"), 400),
    Wrong("tag without a value at the sender", invite(From="<sip:x@y.test>;b;tag"), 400),
    Wrong("empty parameter", invite(From="<sip:x@y.test>;;tag=1"), 400),
    Wrong("two addresses", invite(From="<sip:x@y.test>;tag=1, <sip:z@y.test>;tag=2"), 400),
    Wrong("header without colon", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "Nonsense"]), 400),
    Wrong("header without name", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), ": 1"]), 400),
    Wrong("space in a name", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "X Y: 1"]), 400),
    Wrong(
        "two From", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "From: <sip:z@y.test>;tag=9"]), 400
    ),
    Wrong("two CSeq", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "CSeq: 8 INVITE"]), 400),
    Wrong("two Call-ID", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "i: 2"]), 400),
    Wrong("two lengths", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "l: 0"], BODY), 400),
    Wrong(
        "length beyond the datagram", message("INVITE sip:a@edge.test SIP/2.0", lines(), BODY, "9999"), 400
    ),
    Wrong("length negative", message("INVITE sip:a@edge.test SIP/2.0", lines(), BODY, "-9"), 400),
    Wrong("length no number", message("INVITE sip:a@edge.test SIP/2.0", lines(), BODY, "0x10"), 400),
    Wrong("bare LF in a value", invite(Subject="a\nX-Injected: 1"), 400),
    Wrong("bare CR in a value", invite(Subject="a\rX-Injected: 1"), 400),
    Wrong("LF line ends only", invite(X_Other="1").replace(b"\r\nX-", b"\nX-"), 400),
    Wrong("no empty line", invite().split(b"\r\n\r\n")[0] + b"\r\n", 400),
    Wrong("cut in a header", invite()[:-200], 400),
    Wrong(
        "257 headers",
        message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *["X-A: 1"] * 249], length=None),
        400,
    ),
    Wrong("5,000 headers", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *["X-A: 1"] * 5000]), 400),
    Wrong(
        "71 Vias", invite(Via=", ".join(f"SIP/2.0/UDP h{n}.test;branch=z9hG4bK{n}" for n in range(71))), 400
    ),
    Wrong(
        "21 Contacts", message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *["m: <sip:x@y.test>"] * 20]), 400
    ),
    Wrong("value too long", invite(Subject="x" * 8193), 513),
    Wrong("Request-URI too long", invite().replace(b"INVITE sip:", b"INVITE sip:" + b"x" * 8193, 1), 414),
    Wrong("folded value too long", invite(Subject="\r\n x" * 5000), 513),
    Wrong("folded into too many lines", invite(Subject="a" + "\r\n x" * 1030), 513),
    Wrong("101 parameters of From", invite(From=f'<sip:a@b.test>;x="y"{_params(100)}'), 400),
    Wrong("101 parameters of the target", invite(f"INVITE sip:a@edge.test{_params(101)} SIP/2.0"), 400),
    Wrong(
        "100 parameters of To, and no tag: the answer has one more",
        invite(To=f"<sip:a@b>{_params(100)}"),
        400,
    ),
    Wrong("100 parameters of Via, likewise", invite(Via=f"SIP/2.0/UDP a;branch=z9hG4bK1{_params(99)}"), 0),
    # Silence: nobody to answer, or nobody who may be answered.
    Wrong("no Via", invite(Via=None), 0),
    Wrong("empty parameters in Via", invite(Via="SIP/2.0/UDP 192.0.2.7;;,;,,"), 0),
    Wrong("Via port too big", invite(Via="SIP/2.0/UDP 192.0.2.7:99999;branch=z9hG4bK1"), 0),
    Wrong("Via no SIP", invite(Via="HTTP/1.1 proxy.test"), 0),
    Wrong("bad ACK", invite("ACK sip:a@edge.test SIP/2.0", CSeq="7 INVITE"), 0),
    Wrong("response without Via", message("SIP/2.0 200 OK", lines(Via=None)), 0),
    Wrong(
        "response with a bad CSeq", message("SIP/2.0 200 OK", lines(CSeq="36893488147419103232 REGISTER")), 0
    ),
    Wrong("status too big", message("SIP/2.0 4294967301 better not", lines()), 0),
    Wrong("status too small", message("SIP/2.0 099 No", lines()), 0),
    Wrong("status no number", message("SIP/2.0 2OO OK", lines()), 0),
    Wrong("response of another version", message("SIP/7.0 200 OK", lines()), 0),
    Wrong("nothing", b"", 0),
    Wrong("keepalive", b"\r\n\r\n", 0),
    Wrong("NUL keepalive", b"\x00\x00\x00\x00", 0),
    Wrong("STUN", b"\x00\x01\x00\x08!\x12\xa4B" + bytes(20), 0),
    Wrong("STUN of old", b"\x00\x01\x00\x00" + bytes(range(16)), 0),
    Wrong("STUN of a lying length", b"\x00\x01\x00\x09!\x12\xa4B" + bytes(20), 0),
    Wrong("HTTP", b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n", 0),
]
