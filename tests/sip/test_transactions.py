"""Every row of the four transaction tables: next state, what is sent, and what the user is told."""

from collections.abc import Callable

import pytest

from edge.sip.client_transaction import (
    INVITE_CLIENT,
    REQUEST_CLIENT,
    ClientTransaction,
    InviteClient,
    RequestClient,
)
from edge.sip.events import Flow
from edge.sip.message import Headers, Request, Response, respond
from edge.sip.printing import PrintedRequest
from edge.sip.server_transaction import (
    INVITE_SERVER,
    REQUEST_SERVER,
    InviteServer,
    RequestServer,
    ServerTransaction,
    server_key,
)
from edge.sip.timers import Timers

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
TCP = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.2", 5060), 1)


class Outlet:
    """What a transaction needs around it, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = Timers(lambda: self.now, lambda: None)
        self.sent: list[str] = []
        self.times: list[float] = []
        self.forgotten: list[object] = []

    def send(self, data: bytes, flow: Flow, call_id: str) -> bool:
        start = data.split(b"\r\n")[0].decode().split(" ")
        self.sent.append(start[1] if start[0] == "SIP/2.0" else start[0])
        self.times.append(self.now)
        return True

    send_again = send

    def dial_back(self, flow: Flow, host: str, port: int) -> Flow:
        raise AssertionError("every connection stands here")

    def forget_client(self, key: object) -> None:
        self.forgotten.append(key)

    def forget_server(self, key: object, merge_key: object) -> None:
        self.forgotten.append(key)

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.timers.earliest) <= end:
            self.now = max(self.now, due)
            self.timers.run()
        self.now = end


def request(method: str) -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", "<sip:a@b>;tag=1"),
            ("To", "<sip:c@d>"),
            ("Call-ID", "x"),
            ("CSeq", f"1 {method}"),
        ]
    )
    return Request(method, "sip:c@d", headers)


def client(method: str, flow: Flow = UDP) -> tuple[ClientTransaction, Outlet, list[str]]:
    outlet, told = Outlet(), []

    def on_response(_: ClientTransaction, response: Response) -> None:
        told.append(str(response.status))

    def on_failure(_: ClientTransaction, cause: str) -> None:
        told.append(cause)

    kind = InviteClient if method == "INVITE" else RequestClient
    printed = PrintedRequest(request(method).to_bytes(), method, "z9hG4bK1", "x", flow)
    transaction = kind(outlet, printed, on_response=on_response, on_failure=on_failure)
    transaction.start()
    return transaction, outlet, told


def server(method: str, flow: Flow = UDP) -> tuple[ServerTransaction, Outlet]:
    outlet = Outlet()
    kind = InviteServer if method == "INVITE" else RequestServer
    incoming = request(method)
    return kind(outlet, incoming, server_key(incoming, method), flow, "tag"), outlet


def answers(*statuses: int) -> Callable[[ClientTransaction], None]:
    def feed(transaction: ClientTransaction) -> None:
        for status in statuses:
            transaction.receive(respond(request(transaction.key[1]), status, None, "t"))

    return feed


# state, how to get there, event, next state, what is sent, what the user is told
CLIENT_ROWS = [
    ("INVITE", "calling", (), 180, "proceeding", [], ["180"]),
    ("INVITE", "calling", (), 200, "accepted", [], ["200"]),
    ("INVITE", "calling", (), 486, "completed", ["ACK"], ["486"]),
    ("INVITE", "calling", (), "A", "calling", ["INVITE"], []),
    ("INVITE", "calling", (), "B", "terminated", [], ["timeout"]),
    ("INVITE", "calling", (), "error", "terminated", [], ["unreachable"]),
    ("INVITE", "proceeding", (180,), 183, "proceeding", [], ["183"]),
    ("INVITE", "proceeding", (180,), 200, "accepted", [], ["200"]),
    ("INVITE", "proceeding", (180,), 603, "completed", ["ACK"], ["603"]),
    ("INVITE", "proceeding", (180,), "error", "terminated", [], ["unreachable"]),
    ("INVITE", "proceeding", (180,), "A", "proceeding", [], []),
    ("INVITE", "proceeding", (180,), "B", "proceeding", [], []),
    ("INVITE", "accepted", (200,), 200, "accepted", [], ["200"]),
    ("INVITE", "accepted", (200,), 180, "accepted", [], []),
    ("INVITE", "accepted", (200,), 486, "accepted", [], []),
    ("INVITE", "accepted", (200,), "M", "terminated", [], []),
    ("INVITE", "completed", (486,), 486, "completed", ["ACK"], []),
    ("INVITE", "completed", (486,), 200, "completed", [], []),
    ("INVITE", "completed", (486,), "D", "terminated", [], []),
    ("INVITE", "completed", (486,), "error", "terminated", [], []),
    ("BYE", "trying", (), 100, "proceeding", [], ["100"]),
    ("BYE", "trying", (), 200, "completed", [], ["200"]),
    ("BYE", "trying", (), 481, "completed", [], ["481"]),
    ("BYE", "trying", (), "E", "trying", ["BYE"], []),
    ("BYE", "trying", (), "F", "terminated", [], ["timeout"]),
    ("BYE", "trying", (), "error", "terminated", [], ["unreachable"]),
    ("BYE", "proceeding", (100,), 100, "proceeding", [], ["100"]),
    ("BYE", "proceeding", (100,), 200, "completed", [], ["200"]),
    ("BYE", "proceeding", (100,), 500, "completed", [], ["500"]),
    ("BYE", "proceeding", (100,), "E", "proceeding", ["BYE"], []),
    ("BYE", "proceeding", (100,), "F", "terminated", [], ["timeout"]),
    ("BYE", "proceeding", (100,), "error", "terminated", [], ["unreachable"]),
    ("BYE", "completed", (200,), 200, "completed", [], []),
    ("BYE", "completed", (200,), "K", "terminated", [], []),
]


@pytest.mark.parametrize(("method", "state", "before", "event", "after", "sent", "told"), CLIENT_ROWS)
def test_client_row(
    method: str,
    state: str,
    before: tuple[int, ...],
    event: int | str,
    after: str,
    sent: list[str],
    told: list[str],
) -> None:
    transaction, outlet, heard = client(method)
    answers(*before)(transaction)
    assert transaction.state == state
    outlet.sent.clear()
    heard.clear()
    if isinstance(event, int):
        answers(event)(transaction)
    else:
        transaction.step(event)
    assert (transaction.state, outlet.sent, heard) == (after, sent, told)
    assert bool(outlet.forgotten) == (after == "terminated")


# state, answers sent before, acked, event, next state, what is sent
SERVER_ROWS = [
    ("INVITE", "proceeding", (100,), False, "request", "proceeding", ["100"]),
    ("INVITE", "proceeding", (100,), False, 180, "proceeding", ["180"]),
    ("INVITE", "proceeding", (100,), False, 200, "accepted", ["200"]),
    ("INVITE", "proceeding", (100,), False, 486, "completed", ["486"]),
    ("INVITE", "accepted", (200,), False, "request", "accepted", []),
    ("INVITE", "accepted", (200,), False, "send 2xx", "accepted", ["200"]),
    ("INVITE", "accepted", (200,), False, "L", "terminated", []),
    ("INVITE", "completed", (486,), False, "request", "completed", ["486"]),
    ("INVITE", "completed", (486,), False, "G", "completed", ["486"]),
    ("INVITE", "completed", (486,), False, "ack", "confirmed", []),
    ("INVITE", "completed", (486,), False, "H", "terminated", []),
    ("INVITE", "completed", (486,), False, 200, "completed", []),
    ("INVITE", "confirmed", (486,), True, "request", "confirmed", []),
    ("INVITE", "confirmed", (486,), True, "ack", "confirmed", []),
    ("INVITE", "confirmed", (486,), True, "I", "terminated", []),
    ("BYE", "trying", (), False, "request", "trying", []),
    ("BYE", "trying", (), False, 100, "proceeding", ["100"]),
    ("BYE", "trying", (), False, 200, "completed", ["200"]),
    ("BYE", "trying", (), False, 481, "completed", ["481"]),
    ("BYE", "proceeding", (100,), False, "request", "proceeding", ["100"]),
    ("BYE", "proceeding", (100,), False, 100, "proceeding", ["100"]),
    ("BYE", "proceeding", (100,), False, 200, "completed", ["200"]),
    ("BYE", "proceeding", (100,), False, 500, "completed", ["500"]),
    ("BYE", "completed", (200,), False, "request", "completed", ["200"]),
    ("BYE", "completed", (200,), False, 500, "completed", []),
    ("BYE", "completed", (200,), False, "J", "terminated", []),
]


@pytest.mark.parametrize(("method", "state", "before", "acked", "event", "after", "sent"), SERVER_ROWS)
def test_server_row(
    method: str,
    state: str,
    before: tuple[int, ...],
    acked: bool,
    event: int | str,
    after: str,
    sent: list[str],
) -> None:
    transaction, outlet = server(method)
    for status in before:
        transaction.respond(status)
    if acked:
        transaction.step("ack")
    assert transaction.state == state
    outlet.sent.clear()
    if isinstance(event, int):
        transaction.respond(event)
    else:
        transaction.step(event)
    assert (transaction.state, outlet.sent) == (after, sent)
    assert bool(outlet.forgotten) == (after == "terminated")


def test_no_row_is_untested() -> None:
    client_rows = {(m, s, _event(e)) for m, s, _, e, *_ in CLIENT_ROWS}
    server_rows = {(m, s, _sent(e)) for m, s, _, _, e, *_ in SERVER_ROWS}
    for method, table in (("INVITE", INVITE_CLIENT), ("BYE", REQUEST_CLIENT)):
        assert {(method, *row) for row in table} <= client_rows
    for method, table in (("INVITE", INVITE_SERVER), ("BYE", REQUEST_SERVER)):
        assert {(method, *row) for row in table} <= server_rows


def _event(event: int | str) -> str:
    return event if isinstance(event, str) else {1: "1xx", 2: "2xx"}.get(event // 100, "3xx+")


def _sent(event: int | str) -> str:
    return event if isinstance(event, str) else f"send {_event(event)}"


# -- the timers: when, over UDP and over TCP (RFC 3261 table 4, RFC 6026) ---------------------------


def test_timers_a_and_b_double_and_give_up_after_32_s() -> None:
    _, outlet, told = client("INVITE")
    outlet.pass_time(31.9)
    assert outlet.times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5] and told == []
    outlet.pass_time(0.2)
    assert told == ["timeout"] and len(outlet.timers) == 0


def test_timers_e_and_f_double_up_to_4_s() -> None:
    _, outlet, told = client("BYE")
    outlet.pass_time(32.1)
    assert outlet.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert told == ["timeout"]


def test_timer_e_is_4_s_after_a_provisional_answer() -> None:
    transaction, outlet, _ = client("BYE")
    answers(100)(transaction)
    outlet.pass_time(10)
    assert outlet.times == [0, 0.5, 4.5, 8.5]


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_nothing_is_repeated_over_tcp_but_the_limit_stands(method: str) -> None:
    _, outlet, told = client(method, TCP)
    outlet.pass_time(32.1)
    assert outlet.times == [0] and told == ["timeout"]


@pytest.mark.parametrize(
    ("method", "status", "flow", "seconds"),
    [
        ("INVITE", 486, UDP, 32.0),  # D
        ("INVITE", 486, TCP, 0.0),
        ("INVITE", 200, UDP, 32.0),  # M
        ("INVITE", 200, TCP, 32.0),
        ("BYE", 200, UDP, 5.0),  # K
        ("BYE", 200, TCP, 0.0),
    ],
)
def test_timers_d_m_and_k(method: str, status: int, flow: Flow, seconds: float) -> None:
    transaction, outlet, _ = client(method, flow)
    answers(status)(transaction)
    if seconds:
        outlet.pass_time(seconds - 0.01)
        assert not outlet.forgotten
        outlet.pass_time(0.02)
    assert outlet.forgotten and len(outlet.timers) == 0


def test_timers_g_and_h_repeat_a_refusal_up_to_4_s_for_32_s() -> None:
    transaction, outlet = server("INVITE")
    transaction.respond(486)
    outlet.pass_time(32.1)
    assert outlet.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert outlet.forgotten


def test_timer_g_is_off_over_tcp_and_h_is_not() -> None:
    transaction, outlet = server("INVITE", TCP)
    transaction.respond(486)
    outlet.pass_time(31.9)
    assert outlet.times == [0] and not outlet.forgotten
    outlet.pass_time(0.2)
    assert outlet.forgotten


@pytest.mark.parametrize(
    ("method", "status", "ack", "flow", "seconds"),
    [
        ("INVITE", 486, True, UDP, 5.0),  # I
        ("INVITE", 486, True, TCP, 0.0),
        ("INVITE", 200, False, UDP, 32.0),  # L
        ("INVITE", 200, False, TCP, 32.0),
        ("BYE", 200, False, UDP, 32.0),  # J
        ("BYE", 200, False, TCP, 0.0),
    ],
)
def test_timers_i_l_and_j(method: str, status: int, ack: bool, flow: Flow, seconds: float) -> None:
    transaction, outlet = server(method, flow)
    transaction.respond(status)
    if ack:
        transaction.step("ack")
    if seconds:
        outlet.pass_time(seconds - 0.01)
        assert not outlet.forgotten
        outlet.pass_time(0.02)
    assert outlet.forgotten and len(outlet.timers) == 0


def test_a_tombstone_keeps_neither_request_nor_answer() -> None:
    transaction, _ = server("INVITE")
    transaction.respond(200)
    assert isinstance(transaction, InviteServer)
    transaction.acknowledged()
    assert transaction.request is None and transaction.owner is None and transaction.data == b""


def test_old_peers_without_a_branch_are_matched_by_the_rest() -> None:
    invite, other = request("INVITE"), request("INVITE")
    for message in (invite, other):
        message.headers.set("Via", "SIP/2.0/UDP 192.0.2.1")
    other.headers.set("CSeq", "2 INVITE")
    assert server_key(invite, "INVITE") == server_key(invite, "INVITE")
    assert server_key(invite, "INVITE") != server_key(other, "INVITE")
