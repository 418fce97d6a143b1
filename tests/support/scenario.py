"""SIPp scenarios put together from steps, so that a test reads like the ladder of its call.

A step is a piece of SIPp's XML.  ``written`` makes the file that ``tests.support.sipp`` runs.
"""

from pathlib import Path

_CALLER = '"A Caller" <sip:+12125550100@[local_ip]:[local_port]>;tag=[pid]caller[call_number]'
_CALLED = "<sip:[service]@[remote_ip]:[remote_port]>"
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport"
_CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"
_TAG = ";tag=[pid]target[call_number]"
_PHRASES = {180: "Ringing", 183: "Session Progress", 200: "OK", 487: "Request Terminated"}


def sdp(direction: str = "sendrecv", version: int = 1, formats: str = "0 8 101") -> str:
    """An SDP body of SIPp's own media address; ``formats`` are the payload types in order."""
    return f"""v=0
o=sipp 1 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP {formats}
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a={direction}"""


def written(directory: Path, name: str, *steps: str) -> str:
    """Writes the scenario; the answer is the ``scenario`` argument of ``sipp`` and ``call``."""
    path = directory / f"{name}.xml"
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{}">\n{}</scenario>\n'
    path.write_text(text.format(name, "".join(steps)), encoding="utf-8")
    return str(path.with_suffix(""))


def _message(head: list[str], body: str | None) -> str:
    content = ["Content-Type: application/sdp", "Content-Length: [len]"] if body else ["Content-Length: 0"]
    return "\n".join([*head, *content, "", body or ""])


def _send(head: list[str], body: str | None = None, *, again: bool = False) -> str:
    options = ' retrans="500"' if again else ""
    return f"<send{options}><![CDATA[\n\n{_message(head, body)}\n]]></send>\n"


def _seen(pattern: str | None) -> str:
    if pattern is None:
        return ""
    return f'<action><ereg regexp="{pattern}" search_in="msg" check_it="true" assign_to="seen"/></action>'


def pause(seconds: float) -> str:
    """Waits."""
    return f'<pause milliseconds="{seconds * 1000:.0f}"/>\n'


# -- the caller's side -----------------------------------------------------------------------------


def _request(
    method: str, uri: str, cseq: int, via: str = _VIA, to: str = f"{_CALLED}[peer_tag_param]"
) -> list[str]:
    return [
        f"{method} {uri} SIP/2.0",
        via,
        f"From: {_CALLER}",
        f"To: {to}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        _CONTACT,
        "Max-Forwards: 70",
    ]


_SERVICE = "sip:[service]@[remote_ip]:[remote_port]"


def invite(body: str | None = None, *headers: str) -> str:
    """The INVITE of a new call; without a body it is a late offer."""
    return _send([*_request("INVITE", _SERVICE, 1, to=_CALLED), *headers], body, again=True)


def logs_in(body: str, username: str, password: str) -> str:
    """A new call that is challenged, and called again with credentials (for the first MD5 challenge)."""
    credentials = f"[authentication username={username} password={password}]"
    again = _send([*_request("INVITE", _SERVICE, 2, to=_CALLED), credentials], body, again=True)
    return f'{invite(body)}<recv response="401" auth="true" rrs="true"/>\n{ack_refusal()}{again}'


def options() -> str:
    """Asks whether the server is well."""
    return _send(_request("OPTIONS", _SERVICE, 1, to=_CALLED), again=True)


def reinvite(body: str | None, cseq: int) -> str:
    """An INVITE inside the dialog."""
    return _send([*_request("INVITE", "[next_url]", cseq), "[routes]"], body, again=True)


def ack(body: str | None = None, cseq: int = 1) -> str:
    """The ACK of a 200."""
    return _send([*_request("ACK", "[next_url]", cseq), "[routes]"], body)


def ack_refusal(cseq: int = 1, uri: str = _SERVICE) -> str:
    """The ACK of anything but a 2xx: of the INVITE's own transaction."""
    return _send(_request("ACK", uri, cseq, via="[last_Via:]"))


def info(body: str, content_type: str, cseq: int) -> str:
    """An INFO inside the dialog, and its answer (which has no Contact to go on with)."""
    head = [*_request("INFO", "[next_url]", cseq), "[routes]", f"Content-Type: {content_type}"]
    return _send([*head, "Content-Length: [len]", "", body], again=True) + '<recv response="200"/>\n'


def prack(body: str | None = None, cseq: int = 2) -> str:
    """PRACK of the reliable 18x that came last (``reliable`` remembers its RSeq), and its answer."""
    head = [*_request("PRACK", "[next_url]", cseq), "[routes]", "RAck: [$rseq] 1 INVITE"]
    return _send(head, body, again=True) + '<recv response="200"/>\n'


def reliable(status: int, *, having: str | None = None) -> str:
    """A reliable provisional answer; its RSeq is kept for ``prack``."""
    keep = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/>'
    seen = _seen(having).removeprefix("<action>").removesuffix("</action>")
    known = "rseq,seen" if having else "rseq"
    return (
        f'<recv response="{status}" rrs="true"><action>{keep}{seen}</action></recv>\n'
        f'<Reference variables="{known}"/>\n'
    )


def update(body: str | None, cseq: int) -> str:
    """An UPDATE inside the dialog, perhaps an early one, and its answer."""
    return _send([*_request("UPDATE", "[next_url]", cseq), "[routes]"], body, again=True) + expect(200)


def cancel() -> str:
    """Takes the INVITE back."""
    return _send(_request("CANCEL", _SERVICE, 1, via="[last_Via:]", to=_CALLED), again=True)


def bye(cseq: int = 2) -> str:
    """Hangs up, and hears that it was understood."""
    return _send([*_request("BYE", "[next_url]", cseq), "[routes]"], again=True) + expect(200)


def expect(status: int, *, optional: bool = False, having: str | None = None) -> str:
    """An answer; ``having`` is a regular expression that the message must match."""
    rrs = ' rrs="true"' if 100 < status < 300 else ""  # newer SIPp stumbles over a 100 without Contact
    may = ' optional="true"' if optional else ""
    return f'<recv response="{status}"{may}{rrs}>{_seen(having)}</recv>\n{_reference(having)}'


def _reference(pattern: str | None) -> str:
    return '<Reference variables="seen"/>\n' if pattern is not None else ""


def provisional() -> str:
    """100, 180 and 183 as they may come before the final answer."""
    return "".join(expect(status, optional=True) for status in (100, 180, 183))


# -- the target's side, and whatever comes from the other end -----------------------------------------


def called(having: str | None = None) -> str:
    """The INVITE of a new call arrives; remembers what later steps need of it."""
    remember = '<ereg regexp=".*" search_in="hdr" header="{0}:" assign_to="{1}"/>'
    kept = {"From": "caller", "To": "callee", "CSeq": "cseq", "Via": "via"}
    keep = "".join(remember.format(header, name) for header, name in kept.items())
    check = _seen(having).removeprefix("<action>").removesuffix("</action>")
    known = ",".join(kept.values()) + (",seen" if having else "")
    return (
        f'<recv request="INVITE" rrs="true"><action>{keep}{check}</action></recv>\n'
        f'<Reference variables="{known}"/>\n'
    )


def arrives(method: str, *, having: str | None = None) -> str:
    """A request inside the dialog (or its CANCEL)."""
    return f'<recv request="{method}">{_seen(having)}</recv>\n{_reference(having)}'


def answer(status: int, body: str | None = None, *headers: str, phrase: str | None = None) -> str:
    """Our answer to the INVITE of a new call."""
    return _send(
        [
            f"SIP/2.0 {status} {phrase or _PHRASES.get(status, 'Refused')}",
            "Via:[$via]",
            "[last_Record-Route:]",
            "From:[$caller]",
            f"To:[$callee]{_TAG}",
            "[last_Call-ID:]",
            "CSeq:[$cseq]",
            _CONTACT,
            *headers,
        ],
        body,
        again=status >= 200,
    )


def reply(status: int = 200, body: str | None = None) -> str:
    """Our answer to a request inside the dialog, or to a CANCEL."""
    lines = ["[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]", _CONTACT]
    return _send(
        [f"SIP/2.0 {status} {_PHRASES.get(status, 'Refused')}", *lines], body, again=body is not None
    )


def target_request(method: str, cseq: int, body: str | None = None) -> str:
    """A request of the target's inside the dialog."""
    return _send(
        [
            f"{method} [next_url] SIP/2.0",
            _VIA,
            f"From: <sip:target@[local_ip]:[local_port]>{_TAG}",
            "To:[$caller]",
            "[routes]",
            "[last_Call-ID:]",
            f"CSeq: {cseq} {method}",
            _CONTACT,
            "Max-Forwards: 70",
        ],
        body,
        again=method != "ACK",
    )
