"""The command line: what it prints, and its exit codes (0 done, 1 failed, 2 usage or configuration)."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from tests.admin.conftest import Backstage
from tests.admin.test_calls import placed
from tests.commands.conftest import Edge, Remote
from tests.support.certificates import Authority

LOOPBACK = {
    "EDGE_SIP__LISTEN": "udp://127.0.0.1:0,tcp://127.0.0.1:0",
    "EDGE_ADMIN__LISTEN": "127.0.0.1:0",
    "EDGE_MEDIA__PORTS": "2048-9999",  # below what servers of other tests hold
}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--version",), 0, "edge 0."),
        (("--help",), 0, "doctor"),
        (("nonsense",), 2, "No such command"),
        (("calls", "--since", "yesterday"), 2, "--since 'yesterday'"),
        (("calls", "--limit", "0"), 2, "limit"),
        (("doctor",), 2, "CALL_ID"),
        (("serve", "--config", "none.toml"), 2, "none.toml"),
        (("token", "create", "--role", "boss"), 2, "admin, operator, report_only, publisher, buyer"),
        (("calls", "--url", "ftp://x"), 2, "http://host:port"),
        (("calls", "--url", "http://127.0.0.1:1"), 1, "edge serve"),
    ],
)
def test_usage(edge: Edge, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = edge(*arguments, EDGE_TOKEN="t")
    assert ran.code == code
    assert said in ran.out + ran.err
    assert "Traceback" not in ran.err


def test_without_a_token_the_remedy_is_named(edge: Edge) -> None:
    ran = edge("calls")
    assert (ran.code, "EDGE_TOKEN" in ran.err) == (2, True)


def test_a_mistake_in_the_configuration_names_key_value_and_remedy(edge: Edge, work: Path) -> None:
    (work / "edge.toml").write_text('[sip]\nlisten = ["udp:5060"]\nreallm = "x"\n')
    ran = edge("check", "--config", "edge.toml")
    assert ran.code == 2
    assert "sip.listen[0] = 'udp:5060'" in ran.err
    assert "did you mean sip.realm" in ran.err


def test_check_passes_on_a_fresh_machine(edge: Edge) -> None:
    ran = edge("check", **LOOPBACK)
    assert ran.code == 0, ran.out + ran.err
    assert "built-in prompts can be decoded" in ran.out
    assert "FAIL" not in ran.out


def test_check_names_a_used_port_and_an_unwritable_directory(edge: Edge, work: Path) -> None:
    (work / "file").write_text("in the way")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        listen = {**LOOPBACK, "EDGE_SIP__LISTEN": f"udp://127.0.0.1:{port}"}
        ran = edge("check", **listen, EDGE_DATA_DIR="file/data", EDGE_PUBLIC__URL="http://calls.example")
    assert ran.code == 1
    failed = [line for line in ran.out.splitlines() if line.startswith("FAIL")]
    assert [str(port) in line or "file/data" in line for line in failed] == [True, True]
    assert "ss -lunpt" in ran.out
    assert "is not https" in ran.out


def test_a_used_port_keeps_the_server_from_starting(edge: Edge) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = edge("serve", **{**LOOPBACK, "EDGE_ADMIN__LISTEN": address, "EDGE_MEDIA__WORKERS": "1"})
    assert ran.code == 1
    assert f"admin.listen '{address}' can not be used: address already in use" in ran.err
    assert "ss -lunpt" in ran.err


def test_a_new_database_gets_its_schema_and_tokens_without_a_server(edge: Edge, work: Path) -> None:
    upgraded = edge("db", "upgrade")
    assert (upgraded.code, "schema" in upgraded.out) == (0, True)
    assert (work / "data" / "edge.db").stat().st_mode & 0o077 == 0
    first, second = [edge("token", "create", "--role", "admin").out.strip() for _ in range(2)]
    assert first.startswith("edge_")
    assert first != second


async def test_calls_are_found(server: Remote, backstage: Backstage) -> None:
    await placed(backstage, 1)
    await placed(backstage, 2, called="+13125550199", caller=None)
    ran = await server("calls")
    assert ran.code == 0, ran.err
    assert [line.split()[0] for line in ran.out.splitlines()] == ["call", "call_0002", "call_0001"]
    assert "anonymous" in ran.out
    found = await server("calls", "--number", "+13125550199", "--json")
    assert [json.loads(line)["id"] for line in found.out.splitlines()] == ["call_0002"]
    assert len((await server("calls", "--since", "2099-01-01T00:00:00Z")).out.splitlines()) == 1


async def test_more_calls_than_a_page_are_found(server: Remote, backstage: Backstage) -> None:
    await asyncio.gather(*(placed(backstage, number) for number in range(520)))
    ran = await server("calls", "--limit", "510", "--json")
    found = [json.loads(line)["id"] for line in ran.out.splitlines()]
    assert found == [f"call_{number:04}" for number in range(519, 9, -1)]


async def test_doctor_explains_a_call(server: Remote, backstage: Backstage) -> None:
    call_id = await placed(backstage, 1)
    ran = await server("doctor", call_id)
    assert ran.code == 0, ran.err
    assert "number → found" in ran.out
    assert "INVITE sip:+13125550100@edge" in ran.out
    newest = await server("doctor", "--caller", "+13125550142")
    assert call_id in newest.out
    assert (await server("doctor", "call_none")).code == 1


async def test_tokens_are_made_by_the_server(server: Remote) -> None:
    made = await server("token", "create", "--role", "report_only")
    assert (made.code, made.err) == (0, "")
    told = await server("calls", EDGE_TOKEN=made.out.strip())
    assert told.code == 0
    refused = await server("token", "create", "--role", "admin", EDGE_TOKEN=made.out.strip())
    assert (refused.code, "report_only" in refused.err) == (2, True)
    assert made.out.strip() not in refused.err


async def test_drain_ends_when_no_call_lives(server: Remote, backstage: Backstage) -> None:
    ran = await server("drain", "--max", "9")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert backstage.switch.drained_s == 9


def test_check_says_what_is_wrong_with_the_certificate(edge: Edge, work: Path) -> None:
    authority = Authority(work)
    good, other = authority.certificate("good", "DNS:a.example"), authority.certificate("b", "DNS:b.example")
    soon = authority.certificate("soon", "DNS:a.example", days=3)
    wanted = {
        (good.certificate, good.private_key): "ok    sip.tls_certificate is that of a.example",
        (good.certificate, other.private_key): "is not that of the certificate",
        (work / "none.pem", good.private_key): "No such file",
        (soon.certificate, soon.private_key): "warn  sip.tls_certificate is that of a.example",
    }
    for (certificate, key), words in wanted.items():
        files = {"EDGE_SIP__TLS_CERTIFICATE": str(certificate), "EDGE_SIP__TLS_PRIVATE_KEY": str(key)}
        ran = edge("check", **LOOPBACK, **files)
        assert words in ran.out
        assert ("FAIL  sip.tls" in ran.out) == ("a.example" not in words)


async def test_a_set_up_is_exported_compared_and_applied(server: Remote, work: Path) -> None:
    file = work / "setup.yaml"
    file.write_text("campaigns:\n  - id: cmp_a\n    name: Spring\n")
    told = await server("apply", str(file), "--dry-run")
    assert told.out.startswith('+ campaign cmp_a "Spring"\n1 created; nothing was written')
    assert (await server("apply", str(file))).code == 0
    again = await server("diff", str(file))
    assert again.out == "no change; nothing was written\n"
    exported = await server("export")
    assert exported.out.endswith("campaigns:\n  - id: cmp_a\n    name: Spring\n")
    file.write_text("campaigns:\n  - id: cmp_a\n")
    refused = await server("apply", str(file))
    assert refused.code == 2 and f"{file}:2: campaigns[0].name: is required" in refused.err


def test_tokens_of_publishers_and_buyers(edge: Edge) -> None:
    offline = edge("token", "create", "--role", "publisher")
    assert offline.code == 1 and "publisher_id: is required" in offline.err
    unknown = edge("token", "create", "--role", "buyer", "--buyer", "buy_none")
    assert unknown.code == 1 and "there is no buyer with the id 'buy_none'" in unknown.err
