"""Configuration in the database: whole, referred to, in pages."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edge.model.config import Campaign, Number, Target, Trunk
from edge.model.kinds import Kind
from edge.store.audit import Note
from edge.store.bodies import references
from edge.store.edits import Edit
from edge.store.engine import Database
from edge.store.errors import BadCursor, Dangling, Down, Duplicate, InUse, Missing, Outdated, Reference
from edge.store.repository import Objects
from tests.store.conftest import NOON

NOTE = Note("tok_1", NOON)
COMMON: dict[str, Any] = {"created_at": NOON, "updated_at": NOON, "version": 1}


def trunk(trunk_id: str = "trk_1", **fields: Any) -> Trunk:
    return Trunk(id=trunk_id, name="Carrier", username="u", password="s3cret", **COMMON, **fields)


def campaign(campaign_id: str = "cmp_1", **fields: Any) -> Campaign:
    return Campaign.model_validate({"id": campaign_id, "name": f"Name of {campaign_id}", **COMMON, **fields})


def number(number_id: str = "num_1", e164: str = "+18005550100", **fields: Any) -> Number:
    return Number(id=number_id, e164=e164, state="available", **COMMON, **fields)


def target(target_id: str = "tgt_1", **fields: Any) -> Target:
    return Target(id=target_id, name="Buyer", address="sip:b@192.0.2.1", **COMMON, **fields)


class Store(Objects):
    """Edits of one object with fewer words."""

    async def insert(self, kind: Kind, item: Any) -> None:
        await self.commit([Edit(kind, None, item)], NOTE)

    async def update(self, kind: Kind, item: Any, expected: int) -> None:
        before = item.model_copy(update={"version": expected})
        await self.commit([Edit(kind, before, item)], NOTE)

    async def delete(self, kind: Kind, object_id: str) -> None:
        await self.commit([Edit(kind, await self.get(kind, object_id), None)], NOTE)


@pytest.fixture
async def objects(path: Path) -> AsyncIterator[Store]:
    async with Database(path) as database:
        yield Store(database)


async def test_what_is_stored_is_read_back_with_its_secret(objects: Store) -> None:
    stored = trunk(external_id="x", sip={"codecs": ["PCMU"]}, max_cps=2.5)
    await objects.insert("trunk", stored)
    assert await objects.get("trunk", "trk_1") == stored
    assert [item.id for item in await objects.all("trunk")] == ["trk_1"]


async def test_unique_fields(objects: Store) -> None:
    await objects.insert("number", number())
    with pytest.raises(Duplicate, match="e164"):
        await objects.insert("number", number("num_2"))
    await objects.insert("campaign", campaign(external_id="x"))
    with pytest.raises(Duplicate, match="external_id"):
        await objects.insert("campaign", campaign("cmp_2", external_id="x"))
    await objects.insert("target", target(external_id="x"))


async def test_only_the_version_that_was_read_is_replaced(objects: Store) -> None:
    await objects.insert("campaign", campaign())
    newer = campaign().model_copy(update={"name": "New", "version": 2})
    await objects.update("campaign", newer, 1)
    assert await objects.get("campaign", "cmp_1") == newer
    with pytest.raises(Outdated) as caught:
        await objects.update("campaign", newer, 1)
    assert caught.value.version == 2
    with pytest.raises(Missing):
        await objects.update("campaign", campaign("cmp_9"), 1)


async def test_references_must_exist_and_hold_what_they_name(objects: Store) -> None:
    routed = campaign(routes={"targets": [{"target_id": "tgt_1"}]})
    with pytest.raises(Dangling) as caught:
        await objects.insert("campaign", routed)
    assert caught.value.references == [Reference("routes.targets[0].target_id", "target", "tgt_1")]
    with pytest.raises(Missing):
        await objects.get("campaign", "cmp_1")
    await objects.insert("target", target())
    await objects.insert("campaign", routed)
    with pytest.raises(InUse) as in_use:
        await objects.delete("target", "tgt_1")
    assert in_use.value.users == [Reference("routes.targets[0].target_id", "campaign", "cmp_1")]
    await objects.update("campaign", campaign(version=2), 1)
    await objects.delete("target", "tgt_1")
    await objects.delete("campaign", "cmp_1")


def test_every_field_that_names_another_object_is_found() -> None:
    action = {"action": "forward", "target_id": "t1"}
    full = campaign(
        on_paused={"action": "message", "prompt_id": "p1"},
        failsafe=action,
        hours={"active": False, "after_hours": {"action": "message", "prompt_id": "p2"}},
        routes={"targets": [{"target_id": "t2"}, {"target_id": "t3"}], "overflow": action},
        prompts={"greeting_prompt_id": "p3"},
    )
    assert {(r.kind, r.id) for r in references(full)} == {
        *((kind, f"{kind[0]}{n}") for kind, n in (("target", 1), ("target", 2), ("target", 3))),
        *(("prompt", f"p{n}") for n in (1, 2, 3)),
    }
    cap = {"window": "concurrency", "limit": 1, "on_cap": action}
    assert [r.path for r in references(target(trunk_ids=["a", "b"], caps=[cap]))] == [
        "trunk_ids[0]", "trunk_ids[1]", "caps[0].on_cap.target_id",
    ]  # fmt: skip
    assert references(number(tags={"campaign_id": "spring"})) == []
    assert [r.kind for r in references(trunk(default_number_id="n"))] == ["number"]


async def test_pages_meet_without_gap_or_overlap_while_objects_come_and_go(objects: Store) -> None:
    for n in range(7):
        await objects.insert("campaign", campaign(f"cmp_{n}", name=f"Name {n // 2}"))
    seen: list[str] = []
    cursor: str | None = None
    for page in range(4):
        items, cursor = await objects.list("campaign", {}, "-name", cursor, 2)
        seen += [item.id for item in items]
        if page == 0:
            await objects.delete("campaign", "cmp_6")
            await objects.insert("campaign", campaign("cmp_9", name="Zulu"))
    assert seen == [f"cmp_{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert cursor is None


async def test_filters(objects: Store) -> None:
    await objects.insert("campaign", campaign())
    await objects.insert("number", number(campaign_id="cmp_1", kind="toll_free"))
    await objects.insert("number", number("num_2", "+12025550123"))

    async def found(**filters: str) -> list[str]:
        items, _ = await objects.list("number", filters, "e164", None, 10)
        return [item.id for item in items]

    assert await found() == ["num_2", "num_1"]
    assert await found(campaign_id="cmp_1") == ["num_1"]
    assert await found(e164="+12025550123", state="available") == ["num_2"]
    assert await found(kind="mobile") == []


@pytest.mark.parametrize("cursor", ["x", "bm8", "W10", "WzEsMl0", "é", "WyJuYW1lIixmYWxzZSxbXSwiIl0"])
async def test_a_foreign_cursor_is_refused(objects: Store, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await objects.list("campaign", {}, None, cursor, 5)


async def test_a_cursor_belongs_to_its_order(objects: Store) -> None:
    for n in range(3):
        await objects.insert("campaign", campaign(f"cmp_{n}"))
    _, cursor = await objects.list("campaign", {}, "name", None, 1)
    with pytest.raises(BadCursor, match="sorted otherwise"):
        await objects.list("campaign", {}, "-name", cursor, 1)


async def test_the_version_of_the_whole_grows_with_every_edit(objects: Store, path: Path) -> None:
    versions = [await objects.version()]
    await objects.insert("campaign", campaign())
    versions.append(await objects.version())
    await objects.update("campaign", campaign(version=2), 1)
    versions.append(await objects.version())
    with pytest.raises(Missing):
        await objects.delete("campaign", "cmp_9")
    versions.append(await objects.version())
    await objects.delete("campaign", "cmp_1")
    async with Database(path) as again:
        versions.append(await Objects(again).version())
    assert versions == [1, 2, 3, 3, 4]


async def test_a_database_that_is_gone_is_down(tmp_path: Path) -> None:
    async with Database(tmp_path / "nowhere" / "edge.db") as database:
        with pytest.raises(Down):
            await Objects(database).get("trunk", "x")
    # The driver's thread says goodbye to the loop, which must still be there.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)
