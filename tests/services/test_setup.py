"""The set-up as a document: what it says, what it changes, and that a wrong one changes nothing."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import SystemClock
from edge.model.block import BlockSpec
from edge.model.buyer import BuyerSpec, GroupSpec
from edge.model.calendars import HolidayCalendarSpec
from edge.model.callers import CallerListSpec
from edge.model.config import CampaignSpec, NumberSpec, TargetSpec, TrunkSpec
from edge.model.pool import PoolSpec, TagSpec
from edge.model.publishers import PublisherSpec
from edge.routing.everything import everything
from edge.services.configuration import ConfigurationService
from edge.services.errors import FieldError, Invalid, NotFound, StaleBase
from edge.services.listing import ListQuery
from edge.services.prompts import PromptService
from edge.services.setup.document import SECTIONS, read
from edge.services.setup.outcome import Outcome
from edge.services.setup.plan import KIND_OF
from edge.services.setup.service import SetupService
from edge.store.audio import AudioFiles
from edge.store.bodies import SHAPES
from edge.store.engine import Database
from edge.store.history import History
from edge.store.repository import Objects
from tests.services.test_prompts import Loaded, wav

XMAS = {"date": "2026-12-25"}
SECRET = "hush-hush-4711"
Json = dict[str, Any]


class World:
    """The services on one database."""

    def __init__(self, configuration: ConfigurationService, database: Database, folder: Path) -> None:
        self.configuration = configuration
        self.engine = Loaded()
        self.prompts = PromptService(configuration, AudioFiles(folder), self.engine)  # type: ignore[arg-type]
        self.setup = SetupService(configuration, self.prompts, History(database, SystemClock()))

    async def export(self) -> Json:
        found: Json = json.loads(b"".join((await self.setup.export())[0]))
        return found

    async def apply(self, document: Json, **how: bool) -> Outcome:
        return await self.setup.apply(json.dumps(document).encode(), **how)

    async def refused(self, document: Json, **how: bool) -> dict[str, str]:
        before, version = await self.export(), self.configuration.current.version
        with pytest.raises(Invalid) as caught:
            await self.apply(document, **how)
        assert (await self.export(), self.configuration.current.version) == (before, version)
        return {error.path: error.message for error in caught.value.errors}

    async def fill(self) -> None:
        """With at least one object of each kind, and references of every sort."""
        make = self.configuration.create
        trunk = await make(
            "trunk", TrunkSpec(name="Carrier", username="u", password=SECRET, proxy="sip:c.example")
        )
        publisher = await make("publisher", PublisherSpec(name="Radio"))
        buyer = await make("buyer", BuyerSpec(name="Buyer", timezone="UTC"))
        prompt = await self.prompts.upload("Greeting", wav(), None)
        cap = {"window": "day", "limit": 5}
        target = await make(
            "target",
            TargetSpec.model_validate(
                {"name": "Desk", "address": "sip:d@192.0.2.1", "buyer_id": buyer.id, "caps": [cap]}
            ),
        )
        group = await make(
            "group", GroupSpec.model_validate({"name": "G", "members": [{"target_id": target.id}]})
        )
        routes = {"targets": [{"target_id": target.id}, {"group_id": group.id, "priority": 2}]}
        fields: Json = {
            "name": "Frühling",
            "timezone": "Europe/Berlin",
            "routes": routes,
            "external_id": "spring",
        }
        fields["prompts"] = {"greeting_prompt_id": prompt.id}
        fields["hours"] = {"timezone": "Europe/Berlin", "weekly": {"mon": [["09:00", "17:00"]]}}
        campaign = await make("campaign", CampaignSpec.model_validate_json(json.dumps(fields), strict=True))
        number = {
            "e164": "+18005550100",
            "campaign_id": campaign.id,
            "publisher_id": publisher.id,
            "tags": {"a": "b"},
        }
        await make("number", NumberSpec.model_validate(number))
        await make("number", NumberSpec(e164="+13125550101"))
        pool = await make("pool", PoolSpec(name="Visitors", kind="local"))
        await make("number", NumberSpec(e164="+13125550102", pool_id=pool.id))
        shown = await make("number", NumberSpec(e164="+13125550103", campaign_id=campaign.id))
        tag = {"name": "Page", "campaign_id": campaign.id, "primary_number_id": shown.id}
        tag |= {"capture_user_data": True, "pool_id": pool.id, "number_to_replace": "+13125550103"}
        await make("call_tracking_tag", TagSpec.model_validate(tag))
        await make("calendar", HolidayCalendarSpec.model_validate({"name": "H", "dates": [XMAS]}))
        await make("caller_list", CallerListSpec(name="Known"))
        await make("block", BlockSpec(pattern="+1312*", campaign_id=campaign.id))
        await self.configuration.patch("trunk", trunk.id, {"name": "Carrier 2"}, None)


@asynccontextmanager
async def world_in(folder: Path) -> AsyncIterator[World]:
    async with (
        Database(folder / "edge.db") as database,
        ConfigurationService(Objects(database), SystemClock()) as service,
    ):
        yield World(service, database, folder)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> Path:
    """A folder with a set-up of every kind of object, made once."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "edge.db").write_bytes(empty_database)

    async def fill() -> None:
        async with world_in(folder) as world:
            await world.fill()

    asyncio.run(fill())
    return folder


@pytest.fixture
async def world(tmp_path: Path, filled: Path) -> AsyncIterator[World]:
    async with world_in(shutil.copytree(filled, tmp_path / "one")) as world:
        yield world


@pytest.fixture
async def other(tmp_path: Path, empty_database: bytes) -> AsyncIterator[World]:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "edge.db").write_bytes(empty_database)
    async with world_in(tmp_path / "two") as world:
        yield world


def only(document: Json, section: str, index: int = 0) -> Json:
    found: Json = document[section][index]
    return found


async def test_every_kind_of_object_is_in_the_snapshot_and_in_the_document(world: World) -> None:
    kinds = {KIND_OF[type(item)] for item in everything(world.configuration.current)}
    assert kinds == set(SHAPES), "a new kind: add one to World.fill"
    document = await world.export()
    assert set(document) - {"edge", "base"} == set(SECTIONS)
    assert SECRET not in json.dumps(document)
    assert only(document, "trunks")["password"] == {"set": True}


async def test_an_export_changes_nothing_and_says_the_same_again(world: World) -> None:
    document = await world.export()
    assert list(only(document, "campaigns"))[:2] == ["id", "name"]
    assert "created_at" not in json.dumps(document) and "version" not in json.dumps(document)
    done = await world.apply(document, prune=True)
    assert (done.applied, done.changes) == (False, ())
    assert await world.export() == document


async def test_applied_to_an_empty_server_it_is_the_same_set_up(world: World, other: World) -> None:
    document = await world.export()
    sha256 = only(document, "prompts")["sha256"]
    refused = await other.refused(document)
    assert "is not set on this server" in refused["trunks[0].password"]
    only(document, "trunks")["password"] = SECRET
    assert "upload that file" in (await other.refused(document))["prompts[0].sha256"]
    await other.prompts.upload("The same audio", wav(), None)
    assert (await other.export())["prompts"][0]["sha256"] == sha256
    document["base"] = None
    await other.apply(document, prune=True)
    assert await other.export() == await world.export()
    trunk = other.configuration.current.trunks()[0]
    assert trunk.password is not None and trunk.password.get_secret_value() == SECRET
    assert other.prompts.ready(only(document, "prompts")["id"])


async def test_a_file_edited_by_hand(world: World) -> None:
    document = await world.export()
    only(document, "campaigns")["name"] = "Summer"
    only(document, "targets")["caps"][0]["limit"] = 9
    document["publishers"].append({"id": "pub_tv", "name": "TV"})
    planned = await world.apply(document, dry_run=True)
    assert [(c.action, c.kind) for c in planned.changes] == [
        ("change", "target"), ("create", "publisher"), ("change", "campaign"),
    ]  # fmt: skip
    assert planned.changes[0].fields[0]._asdict() == {"path": "caps[0].limit", "before": 5, "after": 9}
    assert not planned.applied and (await world.export())["base"] == document["base"]
    done = await world.apply(document)
    assert (done.applied, done.changes, done.version) == (True, planned.changes, planned.version + 1)
    assert (await world.export())["base"] == done.base
    cap = world.configuration.current.target(only(document, "targets")["id"])
    assert cap is not None and cap.caps[0].id == only(document, "targets")["caps"][0]["id"]


async def test_new_objects_name_each_other_in_any_order(other: World) -> None:
    document: Json = {
        "numbers": [{"e164": "+18005550100", "campaign_id": "cmp_a"}],
        "campaigns": [{"id": "cmp_a", "name": "A", "routes": {"targets": [{"target_id": "tgt_a"}]}}],
        "targets": [{"id": "tgt_a", "name": "T", "address": "sip:t@192.0.2.1", "buyer_id": "buy_a"}],
        "buyers": [{"id": "buy_a", "name": "B"}],
    }
    await other.apply(document)
    number = other.configuration.current.number("+18005550100")
    assert number is not None and number.campaign_id == "cmp_a"
    again = await other.apply(document)
    assert again.changes == (), "what is found by its digits is not made again"
    assert (await other.configuration.list("number", ListQuery())).items == [number]


async def test_every_mistake_is_named_with_its_path(world: World) -> None:
    document = await world.export()
    only(document, "campaigns")["colour"] = "red"
    only(document, "targets")["address"] = "nowhere"
    document["numbers"].append({"e164": "+13125550199", "kind": "toll_free"})
    document["buyers"].append({"name": "without id"})
    document["blocks"].append("+1312*")
    document["trunks"].append({"id": "trk_x", "name": "T", "username": "v", "password": {"set": True}})
    refused = await world.refused(document)
    assert refused["campaigns[0].colour"] == "there is no such field"
    assert "sip:user@host" in refused["targets[0]"]
    assert "choose one" in refused["buyers[1].id"]
    assert refused["blocks[1]"] == "must be an object"
    assert '{"env": NAME}' in refused["trunks[1].password"]
    assert SECRET not in json.dumps(refused)


MISTAKES: list[tuple[Callable[[Json], Any], str, str]] = [
    (
        lambda d: _targets(d).append({"target_id": "tgt_no"}),
        "campaigns[0].routes.targets[2].target_id",
        "no t",
    ),
    (lambda d: d["numbers"][0].update(campaign_id=None), "numbers[0].campaign_id", "active number"),
    (lambda d: d["numbers"][1].update(e164="+18005550100"), "numbers[1].e164", "already"),
    (
        lambda d: d["numbers"].append({"e164": "+13125550155", "kind": "toll_free"}),
        "numbers[4].kind",
        "local",
    ),
    (lambda d: d["campaigns"].append(dict(d["campaigns"][0])), "campaigns[1].id", "stands at campaigns[0]"),
    (lambda d: d["campaigns"].append(_twin()), "campaigns[1].external_id", "already"),
    (lambda d: _close(d["campaigns"][0]), "campaigns[0].routes.menu.keys.1.campaign_id", "circle"),
    (lambda d: d["buyers"].append(_same_cap(d)), "buyers[1].caps[0].id", "another object"),
    (lambda d: d.update(colours=[]), "colours", "no such section"),
    (lambda d: d.update(edge=2), "edge", "format 1"),
    (lambda d: d["targets"][0].update(id="cmp_x"), "targets[0].id", "tgt_"),
]


def _targets(document: Json) -> list[Json]:
    found: list[Json] = document["campaigns"][0]["routes"]["targets"]
    return found


def _twin() -> Json:
    return {"id": "cmp_2", "name": "B", "external_id": "spring"}


def _close(campaign: Json) -> None:
    campaign["routes"]["menu"] = _menu(campaign["id"])


def _same_cap(document: Json) -> Json:
    return {"id": "buy_x", "name": "X", "timezone": "UTC", "caps": document["targets"][0]["caps"]}


def _menu(campaign_id: str) -> Json:
    return {"prompt_id": "prm_menu", "keys": {"1": {"campaign_id": campaign_id}}}


@pytest.mark.parametrize(("spoil", "path", "said"), MISTAKES)
async def test_the_rules_of_single_edits_hold(
    world: World, spoil: Callable[[Json], Any], path: str, said: str
) -> None:
    document = await world.export()
    spoil(document)
    assert said in (await world.refused(document))[path]


async def test_a_circle_that_only_the_whole_closes_is_refused(world: World) -> None:
    prompt_id = only(await world.export(), "prompts")["id"]
    campaigns = [
        {"id": f"cmp_{a}", "name": a, "routes": {"menu": {**_menu(f"cmp_{b}"), "prompt_id": prompt_id}}}
        for a, b in ("xy", "yx")
    ]
    assert "circle" in str(await world.refused({"campaigns": campaigns}))


async def test_a_stale_base_is_refused_and_names_the_remedy(world: World) -> None:
    document = await world.export()
    campaign = only(document, "campaigns")
    await world.configuration.patch("campaign", campaign["id"], {"name": "By somebody else"}, None)
    with pytest.raises(StaleBase, match="export again"):
        await world.apply(document)
    await world.configuration.patch("campaign", campaign["id"], {"name": campaign["name"]}, None)
    assert (await world.apply(document)).changes == (), "the same set-up has the same base"


async def test_pruning_takes_what_is_not_named_but_never_numbers(world: World) -> None:
    document = await world.export()
    for section in ("numbers", "blocks", "publishers"):
        document[section] = []
    left = await world.apply(document)
    assert (left.changes, left.left) == ((), 6)
    refused = await world.refused(document, prune=True)
    assert "can not go" in refused[""]
    document["numbers"] = (await world.export())["numbers"]
    document["numbers"][0].pop("publisher_id")
    document["numbers"].pop()
    done = await world.apply(document, prune=True)
    assert [(c.action, c.kind) for c in done.changes] == [
        ("change", "number"), ("delete", "publisher"), ("delete", "block"),
    ]  # fmt: skip
    assert done.left == 1 and world.configuration.current.number("+13125550101") is not None


async def test_secrets_stay_change_and_go(world: World) -> None:
    document = await world.export()
    trunk = only(document, "trunks")

    def password() -> str | None:
        found = world.configuration.current.trunks()[0].password
        return None if found is None else found.get_secret_value()

    trunk["name"] = "New name"
    await world.apply({"trunks": [trunk]})
    assert password() == SECRET
    trunk["password"] = "another"
    done = await world.apply({"trunks": [trunk]})
    assert done.changes[0].fields == (("password", {"set": True}, {"set": True}),)
    assert password() == "another"
    del trunk["password"], trunk["username"]
    trunk["addresses"] = ["192.0.2.0/24"]
    await world.apply({"trunks": [trunk]})
    assert password() is None


async def test_versions_are_listed_and_restored_in_one_step(world: World) -> None:
    before = await world.export()
    version = world.configuration.current.version
    trunk, campaign = only(before, "trunks"), only(before, "campaigns")
    await world.configuration.delete("block", only(before, "blocks")["id"], None)
    await world.configuration.delete("trunk", trunk["id"], None)
    await world.configuration.create("buyer", BuyerSpec(name="Later"))
    await world.apply({"campaigns": [{"id": campaign["id"], "name": "Bare", "external_id": "bare"}]})
    listed = (await world.setup.versions(ListQuery(limit=3))).items
    assert [(v.version, v.by, v.changes) for v in listed] == [(version + n, "server", 1) for n in (4, 3, 2)]
    planned = await world.setup.restore(version, dry_run=True)
    assert {(c.action, c.kind) for c in planned.changes} == {
        ("create", "block"), ("create", "trunk"), ("delete", "buyer"), ("change", "campaign"),
    }  # fmt: skip
    await world.setup.restore(version)
    assert await world.export() == before
    back = world.configuration.current.trunk(trunk["id"])
    assert back is not None and back.password is not None and back.password.get_secret_value() == SECRET
    with pytest.raises(NotFound):
        await world.setup.restore(9999)


async def test_a_restore_leaves_numbers_that_came_or_went_since(world: World) -> None:
    version = world.configuration.current.version
    await world.configuration.create("number", NumberSpec(e164="+13125550177"))
    known = world.configuration.current.number("+18005550100")
    assert known is not None
    await world.configuration.patch("number", known.id, {"tags": {"a": "c"}}, None)
    await world.setup.restore(version)
    assert world.configuration.current.number("+13125550177") is not None
    restored = world.configuration.current.number("+18005550100")
    assert restored is not None and restored.tags == {"a": "b"}


async def test_an_edit_in_between_is_not_overwritten(world: World) -> None:
    document = await world.export()
    only(document, "campaigns")["name"] = "Of the file"
    raw = json.dumps({**document, "base": None}).encode()
    buyer = only(document, "buyers")
    applied, _ = await asyncio.gather(
        world.setup.apply(raw), world.configuration.patch("buyer", buyer["id"], {"name": "By hand"}, None)
    )
    names = {item.name for item in everything(world.configuration.current) if item.id == buyer["id"]}  # type: ignore[union-attr]
    assert applied.applied and len(names) == 1
    assert (
        await world.configuration.get("campaign", only(document, "campaigns")["id"])
    ).name == "Of the file"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"trunks": {}}',
        b'{"trunks": [1',
        b'{"trunks": []} x',
        b'{"trunks": [], }',
        b"\xff",
        b'{"a',
    ],
)
async def test_what_is_no_document_is_refused_in_words(other: World, raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        await other.setup.apply(raw)
    assert all(isinstance(error, FieldError) and error.message for error in caught.value.errors)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
SECTION = st.dictionaries(st.sampled_from(sorted(SECTIONS)), st.lists(JSON, max_size=5))


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(SECTION, st.sampled_from([None, 1, "\t"]))
def test_a_document_is_read_as_it_was_written(sections: dict[str, list[Any]], indent: Any) -> None:
    text = json.dumps(sections, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return
    found = read(text, lambda: None)
    assert found.sections == {name: items for name, items in sections.items() if items}


def test_objects_longer_than_a_window_are_read() -> None:
    items = [{"id": "x" * size} for size in (10, 65_000, 65_536, 200_000, 3)] * 3
    assert read(json.dumps({"trunks": items}).encode(), lambda: None).sections["trunks"] == items


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["name", "limit", "tag", "add", "drop", "hours"]),
        st.integers(0, 5),
        st.text(max_size=9),
    ),
    max_size=6,
)


def _edited(document: Json, edits: list[tuple[str, int, str]]) -> Json:
    document = json.loads(json.dumps(document))
    for what, number, text in edits:
        name = "".join(c for c in text if c.isprintable()).strip() or "x"
        if what == "name":
            document["campaigns"][0]["name"] = name
        elif what == "limit":
            document["targets"][0]["caps"][0]["limit"] = number
        elif what == "tag":
            document["numbers"][0]["tags"] = {f"k{number}": name}
        elif what == "add":
            document["publishers"] = [p for p in document["publishers"] if p["id"] != f"pub_{number}"]
            document["publishers"].append({"id": f"pub_{number}", "name": name})
        elif what == "drop":
            document["blocks"] = []
        else:
            document["campaigns"][0]["hours"] = {"active": False, "timezone": "UTC"}
    return document


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_a_dry_run_tells_what_an_apply_does_and_a_restore_takes_it_back(
    edits: list[tuple[str, int, str]], tmp_path_factory: pytest.TempPathFactory, filled: Path
) -> None:
    async def run() -> None:
        folder = shutil.copytree(filled, tmp_path_factory.mktemp("edited") / "one")
        async with world_in(folder) as world:
            before, version = await world.export(), world.configuration.current.version
            wanted = _edited(before, edits)
            planned = await world.apply(wanted, prune=True, dry_run=True)
            assert await world.export() == before
            done = await world.apply(wanted, prune=True)
            assert done.changes == planned.changes
            after = await world.export()
            again = await world.apply({**wanted, "base": None}, prune=True, dry_run=True)
            assert again.changes == (), "applied twice, it changes nothing more"
            assert done.applied == (after != before)
            await world.setup.restore(version)
            assert await world.export() == before

    asyncio.run(run())
