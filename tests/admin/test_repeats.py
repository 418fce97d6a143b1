"""Repeated POSTs, while the first still runs and long after; requests that never end; a store that fails."""

import asyncio

import pytest

from edge.admin import problem
from edge.admin.app import Applications
from edge.admin.idempotency import KEEP_S, LARGEST, MOST_OCTETS, Repeats
from edge.admin.listener import Listener
from edge.admin.problem import Problem
from edge.admin.routes import Reply
from edge.services.errors import StoreDown
from tests.admin.client import Client
from tests.admin.conftest import ADMIN, ANYWHERE, Clock


class Counted:
    """Something done, and how often; its reply has so many more octets."""

    def __init__(self, octets: int = 0) -> None:
        self.octets = octets
        self.times = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self) -> Reply:
        self.times += 1
        await self.go_on.wait()
        return Reply(str(self.times).encode() + b" " * self.octets)


async def test_a_repeat_is_answered_alike_for_an_hour(clock: Clock) -> None:
    repeats, done = Repeats(clock), Counted()
    first = await repeats.once("tok", "/p", "key", b"body", done)
    clock.now += KEEP_S - 1
    assert await repeats.once("tok", "/p", "key", b"body", done) == first
    clock.now += 2
    assert await repeats.once("tok", "/p", "key", b"body", done) != first


async def test_keys_are_of_a_token_and_a_path(clock: Clock) -> None:
    repeats, done = Repeats(clock), Counted()
    for who, path in (("a", "/p"), ("b", "/p"), ("a", "/q")):
        await repeats.once(who, path, "key", b"", done)
    assert done.times == 3


async def test_a_repeat_while_the_first_runs_is_a_conflict(clock: Clock) -> None:
    repeats, done = Repeats(clock), Counted()
    done.go_on.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(repeats.once("tok", "/p", "key", b"", done))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await repeats.once("tok", "/p", "key", b"", done)
        done.go_on.set()
    assert refused.value.status == 409
    assert await repeats.once("tok", "/p", "key", b"", done) == first.result()


async def test_replies_are_bounded(clock: Clock) -> None:
    repeats, done = Repeats(clock), Counted()
    for number in range(1100):
        await repeats.once("tok", "/p", str(number), b"", done)
    await repeats.once("tok", "/p", "1099", b"", done)
    assert done.times == 1100
    await repeats.once("tok", "/p", "0", b"", done)
    assert done.times == 1101


async def test_replies_are_bounded_in_size_too(clock: Clock) -> None:
    repeats, done = Repeats(clock), Counted(LARGEST - 10)
    for number in range(20):
        await repeats.once("tok", "/p", str(number), b"", done)
    assert 0.8 * MOST_OCTETS < sum(entry.octets for entry in repeats._entries.values()) <= MOST_OCTETS
    await repeats.once("tok", "/p", "19", b"", done)
    assert done.times == 20
    await repeats.once("tok", "/p", "0", b"", done)
    assert done.times == 21


async def test_of_a_reply_that_is_too_large_it_is_only_known_that_it_was_given(clock: Clock) -> None:
    repeats, done = Repeats(clock), Counted(LARGEST)
    await repeats.once("tok", "/p", "key", b"", done)
    with pytest.raises(Problem, match="too large to be kept") as refused:
        await repeats.once("tok", "/p", "key", b"", done)
    assert (refused.value.status, done.times) == (409, 1)


async def test_what_still_runs_is_not_forgotten_for_others(clock: Clock) -> None:
    repeats, slow, done = Repeats(clock), Counted(), Counted()
    slow.go_on.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(repeats.once("tok", "/p", "slow", b"", slow))
        await asyncio.sleep(0)
        for number in range(1100):
            await repeats.once("tok", "/p", str(number), b"", done)
        with pytest.raises(Problem, match="still running"):
            await repeats.once("tok", "/p", "slow", b"", slow)
        slow.go_on.set()
    assert slow.times == 1


async def test_a_body_that_never_ends_is_not_waited_for(
    applications: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem, "REQUEST_TIMEOUT_S", 0.05)
    async with Listener(applications.admin, ANYWHERE) as listener:
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        head = f"POST /api/v1/campaigns HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ADMIN}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        async with asyncio.timeout(30):
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 408")
        writer.close()


@pytest.mark.parametrize(("error", "status"), [(StoreDown("disk full"), 503), (RuntimeError("secret"), 500)])
async def test_a_fault_is_told_without_its_insides(
    api: Client, ports: object, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(ports.configuration, "list", fail)  # type: ignore[attr-defined]
    answer = await api.get("trunks")
    assert (answer.status, answer.json["status"]) == (status, status)
    assert b"secret" not in answer.body
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_a_rehearsal_is_not_what_was_done(api: Client) -> None:
    """The same file and key, first with ``dry_run``: the import itself is another request."""
    asked = {"data": "e164\n+18005550100\n", "headers": {"Content-Type": "text/csv", "Idempotency-Key": "k"}}
    for path, there in (("numbers/import?dry_run=true", 0), ("numbers/import", 1), ("numbers/import", 1)):
        answer = await api.ask("POST", path, **asked)
        assert (answer.status, answer.json["items"][0]["result"]) == (200, "created")
        assert len((await api.get("numbers")).json["items"]) == there
