"""Digest in both roles: the RFCs' own examples, and what an attacker may try."""

import re

import pytest

from edge.sip.digest import ALGORITHMS, ClientDigest, challenges, parse_auth
from edge.sip.errors import SipParseError
from edge.sip.events import Credentials
from edge.sip.message import Headers, Request, Response
from edge.sip.server_digest import Judgement, ServerDigest

URI = "sip:+18005550100@edge.test"


def unauthorized(*values: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return Response(status, "Unauthorized", Headers([(name, value) for value in values]))


def bob(password: str = "zanzibar", realm: str | None = None) -> ClientDigest:
    return ClientDigest(Credentials("bob", password, realm), lambda: "0a4f113b")


def edge(**options: float) -> ServerDigest:
    return ServerDigest(
        "edge", b"secret", ttl_s=options.get("ttl_s", 300), max_nonces=int(options.get("max_nonces", 100))
    )


def passwords(user: str) -> str | None:
    return {"bob": "zanzibar", 'q"u': "x"}.get(user)


def signed(client: ClientDigest, method: str = "INVITE") -> Request:
    return Request(method, URI, Headers(list(client.headers(method, URI))))


def changed(request: Request, pattern: str, by: str) -> Request:
    value = request.headers.get("Authorization") or ""
    assert re.search(pattern, value)
    return Request(request.method, request.uri, Headers([("Authorization", re.sub(pattern, by, value))]))


# -- the algorithm: examples of RFC 2617 3.5, RFC 7616 3.9.1 (GET stands for the SIP method) ---------


@pytest.mark.parametrize(
    ("challenge", "credentials", "cnonce", "response"),
    [
        (
            'Digest realm="testrealm@host.com", qop="auth,auth-int", '
            'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
            'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
            ("Mufasa", "Circle Of Life"),
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        (
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
            ("Mufasa", "Circle of Life"),
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (  # RFC 7616 section 3.9.2 without its userhash; worked out with sha512_256 of OpenSSL
            'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
            'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
            'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"',
            ("Jäsøn Doe", "Secret, or not?"),
            "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
            "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c",
        ),
    ],
)
def test_the_rfcs_examples(challenge: str, credentials: tuple[str, str], cnonce: str, response: str) -> None:
    uri = "/doe.json" if "api@" in challenge else "/dir/index.html"
    client = ClientDigest(Credentials(*credentials), lambda: cnonce)
    assert client.accept(unauthorized(challenge))
    ((name, value),) = client.headers("GET", uri)
    params = parse_auth(value)
    assert name == "Authorization"
    assert params["response"] == response
    assert params["nc"] == "00000001"
    assert params["opaque"] == parse_auth(challenge)["opaque"]


def test_a_peer_that_knows_no_qop() -> None:
    client = bob()
    assert client.accept(unauthorized('Digest realm="r", nonce="n"'))
    params = parse_auth(client.headers("REGISTER", "sip:r")[0][1])
    assert not params.keys() & {"qop", "nc", "cnonce", "opaque"}
    # md5(md5("bob:r:zanzibar") ":n:" md5("REGISTER:sip:r"))
    assert params["response"] == "62c1464ffff216d9c7eb6e0ed511f10a"


# -- both roles against each other -----------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_our_client_passes_our_server(algorithm: str) -> None:
    server, client = edge(), bob()
    offered = [value for value in server.challenges(10.0) if f"algorithm={algorithm}," in value]
    assert client.accept(unauthorized(*offered))
    assert server.judge(signed(client), passwords, 11.0) == Judgement("accepted", "bob")


def test_the_strongest_algorithm_is_offered_first_and_taken_in_any_order() -> None:
    offered = edge().challenges(1.0)
    assert [parse_auth(value)["algorithm"] for value in offered] == ["SHA-256", "MD5"]
    for order in (offered, offered[::-1]):
        assert [c.algorithm for c in challenges(unauthorized(*order))] == ["SHA-256"]


def test_names_and_realms_with_quotes() -> None:
    server = ServerDigest('a "b" \\c', b"s")
    client = ClientDigest(Credentials('q"u', "x"), lambda: "c")
    assert client.accept(unauthorized(*server.challenges(1.0)))
    assert server.judge(signed(client), passwords, 1.0) == Judgement("accepted", 'q"u')


# -- the server ------------------------------------------------------------------------------------------


def authorised(
    server: ServerDigest, now: float = 10.0, password: str = "zanzibar"
) -> tuple[ClientDigest, Request]:
    client = bob(password)
    client.accept(unauthorized(*server.challenges(now)))
    return client, signed(client)


def test_no_request_passes_twice() -> None:
    server = edge()
    client, request = authorised(server)
    assert server.judge(request, passwords, 10.0).verdict == "accepted"
    assert server.judge(request, passwords, 10.0).verdict == "stale"
    assert server.judge(signed(client), passwords, 10.0).verdict == "accepted"
    assert server.judge(request, passwords, 10.0).verdict == "stale"


@pytest.mark.parametrize(("by", "verdict"), [('opaque="other"', "stale"), ("x=y", "accepted")])
def test_an_opaque_that_is_not_ours_is_asked_again(by: str, verdict: str) -> None:
    server = edge()
    _, request = authorised(server)
    again = changed(request, 'opaque="[^"]*"', by)
    assert server.judge(again, passwords, 10.0).verdict == verdict


def test_a_nonce_has_its_time() -> None:
    server = edge(ttl_s=60)
    _, request = authorised(server, 100.0)
    assert server.judge(request, passwords, 99.0).verdict == "stale"
    assert server.judge(request, passwords, 160.1).verdict == "stale"
    assert server.judge(request, passwords, 160.0).verdict == "accepted"


def test_a_stale_nonce_is_renewed_without_asking_anybody() -> None:
    server = edge(ttl_s=60)
    client, request = authorised(server, 0.0)
    assert server.judge(request, passwords, 99.0).verdict == "stale"
    assert client.accept(unauthorized(*server.challenges(99.0, stale=True)))
    assert server.judge(signed(client), passwords, 99.0).verdict == "accepted"


def test_to_a_challenge_that_was_never_ours_any_credentials_are_stale_and_nobody_learns_which_are_right() -> (
    None
):
    for password in ("zanzibar", "guess"):
        _, request = authorised(ServerDigest("edge", b"old secret"), password=password)
        assert edge().judge(request, passwords, 10.0) == Judgement("stale")


@pytest.mark.parametrize(
    ("source", "verdict"), [("192.0.2.1", "accepted"), ("192.0.2.2", "stale"), ("", "stale")]
)
def test_a_challenge_is_for_whom_it_was_sent_to(source: str, verdict: str) -> None:
    server, client = edge(), bob()
    client.accept(unauthorized(*server.challenges(10.0, source="192.0.2.1")))
    assert server.judge(signed(client), passwords, 10.0, source=source).verdict == verdict


@pytest.mark.parametrize(
    ("source", "now", "pattern", "by", "heard"),
    [
        ("192.0.2.1", 70.0, "", "", True),
        ("192.0.2.1", 70.1, "", "", False),
        ("192.0.2.2", 10.0, "", "", False),
        ("192.0.2.1", 10.0, 'response="[^"]*"', 'response="wrong"', True),
        ("192.0.2.1", 10.0, 'nonce="A', 'nonce="B', False),
        ("192.0.2.1", 10.0, 'nonce="[^"]*"', 'nonce="\xff"', False),
    ],
)
def test_who_heard_a_challenge_is_known_by_the_nonce_of_a_message_that_nobody_has_read(
    source: str, now: float, pattern: str, by: str, heard: bool
) -> None:
    server, client = edge(ttl_s=60), bob()
    client.accept(unauthorized(*server.challenges(10.0, source="192.0.2.1")))
    message = changed(signed(client), pattern, by) if pattern else signed(client)
    assert server.answers(message.to_bytes(), now, source) is heard


@pytest.mark.parametrize("octets", [b"", b'nonce="', b'nonce="' * 50, b"INVITE sip:a@b SIP/2.0\r\n\r\n"])
def test_what_has_no_nonce_answers_nothing(octets: bytes) -> None:
    assert not edge().answers(octets, 10.0, "192.0.2.1")


@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        ('response="[^"]*"', 'response=""'),
        ('response="[^"]*"', 'response="é"'),
        ('response="[^"]*", ', ""),
        ('username="bob"', 'username="eve"'),
        ('username="bob"', 'username="nobody\0"'),
        ("nc=00000001", "nc=00000002"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=-0000001"),
        ("nc=00000001, ", ""),
        ("qop=auth,", "qop=auth-int,"),
        ('cnonce="0a4f113b"', 'cnonce=""'),
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("algorithm=SHA-256", "algorithm=SHA-512"),
        ('uri="[^"]*"', 'uri="sip:+900@premium.test"'),
    ],
)
def test_whatever_is_changed_is_refused(pattern: str, by: str) -> None:
    server = edge()
    _, request = authorised(server)
    assert server.judge(changed(request, pattern, by), passwords, 10.0) == Judgement("refused")


def test_the_method_is_signed() -> None:
    server = edge()
    _, request = authorised(server)
    assert server.judge(Request("BYE", URI, request.headers), passwords, 10.0).verdict == "refused"


@pytest.mark.parametrize("password", ["", "\0", "None"])
def test_who_does_not_exist_has_no_password(password: str) -> None:
    server = edge()
    client = ClientDigest(Credentials("nobody", password), lambda: "c")
    client.accept(unauthorized(*server.challenges(1.0)))
    assert server.judge(signed(client), passwords, 1.0) == Judgement("refused")


def test_a_wrong_password_uses_up_nothing() -> None:
    server = edge()
    nonce = server.challenges(10.0)
    good, bad = bob(), bob("guess")
    good.accept(unauthorized(*nonce))
    bad.accept(unauthorized(*nonce))
    assert server.judge(signed(bad), passwords, 10.0).verdict == "refused"
    assert server.judge(signed(good), passwords, 10.0).verdict == "accepted"


@pytest.mark.parametrize(
    "value",
    [
        "Basic Ym9i",
        "Digest",
        "Digest realm",
        'Digest realm="other", nonce="1"',
        'Digest realm="edge',
        "Digest ,,,",
    ],
)
def test_what_is_not_for_us_counts_as_absent(value: str) -> None:
    request = Request("INVITE", URI, Headers([("Authorization", value)]))
    assert edge().judge(request, passwords, 1.0) == Judgement("absent")


def test_ours_is_found_among_others() -> None:
    server = edge()
    _, request = authorised(server)
    request.headers.items.insert(0, ("Authorization", 'Digest realm="other", username="x", nonce="1"'))
    assert server.judge(request, passwords, 10.0).verdict == "accepted"


def test_without_qop_a_nonce_serves_once() -> None:
    server = edge()
    nonce = parse_auth(server.challenges(10.0)[1])["nonce"]
    client = bob()
    client.accept(unauthorized(f'Digest realm="edge", nonce="{nonce}"'))
    assert server.judge(signed(client), passwords, 10.0).verdict == "accepted"
    assert server.judge(signed(client), passwords, 10.0).verdict == "stale"


def test_every_challenge_has_a_nonce_of_its_own() -> None:
    server = edge()
    assert len({parse_auth(server.challenges(1.0)[0])["nonce"] for _ in range(50)}) == 50


def test_memory_is_bounded_and_what_was_forgotten_is_stale() -> None:
    server = edge(max_nonces=10)
    requests = [authorised(server, float(n))[1] for n in range(30)]
    for request in requests:
        assert server.judge(request, passwords, 30.0).verdict == "accepted"
    assert {server.judge(request, passwords, 30.0).verdict for request in requests} == {"stale"}


# -- the client ------------------------------------------------------------------------------------------


def test_refused_credentials_are_not_tried_again() -> None:
    client = bob()
    assert client.accept(unauthorized('Digest realm="r", nonce="1"'))
    assert not client.accept(unauthorized('Digest realm="r", nonce="2"'))


def test_stale_is_believed_once() -> None:
    client = bob()
    assert client.accept(unauthorized('Digest realm="r", nonce="1"'))
    assert client.accept(unauthorized('Digest realm="r", nonce="2", stale=TRUE'))
    assert not client.accept(unauthorized('Digest realm="r", nonce="3", stale=true'))


def test_counts_go_up_with_each_request_of_a_nonce() -> None:
    client = bob()
    client.accept(unauthorized('Digest realm="r", nonce="1", qop="auth"'))
    assert [parse_auth(client.headers("BYE", URI)[0][1])["nc"] for _ in range(3)] == [
        "00000001",
        "00000002",
        "00000003",
    ]


def test_a_proxy_and_the_server_behind_it_are_both_answered() -> None:
    client = bob()
    assert client.accept(
        unauthorized('Digest realm="p", nonce="1"', 'Digest realm="q", nonce="1"', status=407)
    )
    assert client.accept(unauthorized('Digest realm="s", nonce="1"'))
    assert [(name, parse_auth(value)["realm"]) for name, value in client.headers("INVITE", URI)] == [
        ("Proxy-Authorization", "p"),
        ("Proxy-Authorization", "q"),
        ("Authorization", "s"),
    ]


def test_credentials_of_one_realm_are_for_it_alone() -> None:
    client = bob(realm="mine")
    assert not client.accept(unauthorized('Digest realm="theirs", nonce="1"'))
    assert client.headers("INVITE", URI) == ()
    assert client.accept(unauthorized('Digest realm="mine", nonce="1"'))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic realm=x",
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce="n", algorithm=SHA-512',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="n", realm="s"',
        'Digest realm="r" nonce="n"',
        "Digest realm='r, nonce=\"n",
        "Digest " + ", ".join(f"a{n}=1" for n in range(40)),
    ],
)
def test_challenges_that_we_can_not_answer(value: str) -> None:
    assert not bob().accept(unauthorized(value))


def test_realms_are_bounded() -> None:
    client = bob()
    accepted = [client.accept(unauthorized(f'Digest realm="r{n}", nonce="1"')) for n in range(20)]
    assert accepted == [True] * 8 + [False] * 12


def test_secrets_stay_out_of_sight() -> None:
    client = bob("hush-hush")
    client.accept(unauthorized('Digest realm="r", nonce="1"'))
    assert "hush-hush" not in repr(Credentials("bob", "hush-hush")) + repr(client) + str(
        client.headers("INVITE", URI)
    )


@pytest.mark.parametrize("value", ["Digest a=1,, b=2", 'Digest  a = 1 ,\tb="2"', "digest a=1,b=2"])
def test_parameters_may_be_spaced(value: str) -> None:
    assert parse_auth(value) == {"a": "1", "b": "2"}


def test_another_scheme_is_an_error_of_its_own() -> None:
    with pytest.raises(SipParseError, match="other than Digest"):
        parse_auth("Bearer abc")


def test_algorithms_are_offered_in_the_order_that_was_set() -> None:
    server = ServerDigest("edge", b"s", algorithms=("MD5", "SHA-256"))
    assert [parse_auth(value)["algorithm"] for value in server.challenges(1.0)] == ["MD5", "SHA-256"]


def test_an_algorithm_that_was_not_offered_is_refused() -> None:
    both, server = ServerDigest("edge", b"s"), ServerDigest("edge", b"s", algorithms=("SHA-256",))
    client = bob()
    assert client.accept(unauthorized(both.challenges(1.0)[1]))
    assert both.judge(signed(client), passwords, 1.0).verdict == "accepted"
    assert server.judge(signed(client), passwords, 1.0) == Judgement("refused")
