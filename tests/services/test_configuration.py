"""Edits of the configuration: what is refused and why, what is filled in, when it takes effect."""

import asyncio
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.model.config import Campaign, CampaignSpec, Number, NumberSpec, Target, TargetSpec, Trunk, TrunkSpec
from edge.routing.snapshot import Snapshot
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, Invalid, NotFound, Stale, StoreDown
from edge.services.listing import ListQuery
from edge.store.engine import Database
from edge.store.errors import Down
from edge.store.repository import Objects

HOURS = {"timezone": "America/New_York", "weekly": {"mon": [["09:00", "17:00"]]}}


async def campaign(service: ConfigurationService, **fields: Any) -> Campaign:
    made = await service.create("campaign", CampaignSpec.model_validate({"name": "C", **fields}))
    assert isinstance(made, Campaign)
    return made


async def number(service: ConfigurationService, e164: str = "+18005550100", **fields: Any) -> Number:
    made = await service.create("number", NumberSpec.model_validate({"e164": e164, **fields}))
    assert isinstance(made, Number)
    return made


async def target(service: ConfigurationService, **fields: Any) -> Target:
    spec = TargetSpec.model_validate({"name": "T", "address": "sip:b@192.0.2.1", **fields})
    made = await service.create("target", spec)
    assert isinstance(made, Target)
    return made


async def trunk(service: ConfigurationService, **fields: Any) -> Trunk:
    spec = TrunkSpec.model_validate({"name": "K", "addresses": ["192.0.2.9"], **fields})
    made = await service.create("trunk", spec)
    assert isinstance(made, Trunk)
    return made


async def patch(service: ConfigurationService, item: Any, version: int | None = None, **changes: Any) -> Any:
    return await service.patch(type(item).__name__.lower(), item.id, changes, version)


def paths(caught: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [error.path for error in caught.value.errors]


async def test_what_can_not_be_made_ready_is_not_stored(
    service: ConfigurationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else no start could read it again."""

    def unready(_snapshot: Snapshot, *_changes: object) -> Snapshot:
        raise OverflowError

    with monkeypatch.context() as patched:
        patched.setattr(Snapshot, "with_changes", unready)
        with pytest.raises(OverflowError):
            await target(service)
    assert not (await service.list("target", ListQuery())).items


async def test_an_edit_takes_effect_in_the_next_snapshot_and_not_in_a_call_s(
    service: ConfigurationService,
) -> None:
    before = service.current
    made = await number(service)
    assert before.number("+18005550100") is None
    assert service.current.number("+18005550100") == made
    changed = await patch(service, made, tags={"channel": "tv"})
    assert service.current.number_by_id(made.id) == changed
    await service.delete("number", made.id, None)
    assert service.current.number("+18005550100") is None


async def test_the_snapshot_is_loaded_at_the_start(service: ConfigurationService, database: Database) -> None:
    made = await campaign(service)
    dialled = await number(service, campaign_id=made.id)
    bought = await target(service, password="s3cret", username="u")
    known = await trunk(service)
    async with ConfigurationService(Objects(database), SystemClock()) as again:
        snapshot = again.current
        assert snapshot.version == service.current.version
        assert snapshot.campaign(made.id) == made
        assert snapshot.number(dialled.e164) == dialled
        assert snapshot.target(bought.id) == bought
        assert snapshot.trunk(known.id) == known


async def test_what_is_read_is_what_was_written(service: ConfigurationService) -> None:
    made = await target(service, external_id="x")
    assert await service.get("target", made.id) == made
    assert (await service.list("target", ListQuery({"external_id": "x"}))).items == [made]
    with pytest.raises(NotFound, match="target"):
        await service.get("target", "tgt_9")


async def test_a_stale_edit_is_refused_and_tells_the_version(service: ConfigurationService) -> None:
    made = await campaign(service)
    newer = await patch(service, made, 1, name="D")
    assert newer.version == 2
    with pytest.raises(Stale) as caught:
        await patch(service, made, 1, name="E")
    assert caught.value.version == 2
    with pytest.raises(Stale):
        await service.delete("campaign", made.id, 1)


async def test_a_patch_that_changes_nothing_makes_no_version(service: ConfigurationService) -> None:
    made = await campaign(service)
    assert await patch(service, made, name="C") == made


async def test_merge_patch_merges_objects_and_null_restores_the_default(
    service: ConfigurationService,
) -> None:
    made = await target(service, sip={"tech_prefix": "99", "codecs": ["PCMU"]}, ring_timeout_s=10)
    changed = await patch(service, made, sip={"tech_prefix": "77"}, ring_timeout_s=None)
    assert (changed.sip.tech_prefix, changed.sip.codecs, changed.ring_timeout_s) == ("77", ("PCMU",), 30)


async def test_a_secret_stays_when_it_is_sent_back_as_it_was_read(service: ConfigurationService) -> None:
    made = await trunk(service, username="u", password="s3cret")
    changed = await patch(service, made, name="L", password={"set": True})
    assert changed.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(changed)
    with pytest.raises(Invalid) as caught:
        await patch(service, made, username=None, password=["s3cret"])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"colour": "red"}, "colour"),
        ({"id": "cmp_2"}, "id"),
        ({"routes": {"max_attempts": 0}}, "routes.max_attempts"),
        ({"routes": {"max_attempts": "5"}}, "routes.max_attempts"),
        ({"routes": {"targets": [{"target_id": "tgt_9"}]}}, "routes.targets[0].target_id"),
        ({"hours": {"active": True}}, "hours.timezone"),
        ({"name": None}, "name"),
    ],
)
async def test_a_bad_patch_names_the_field(
    service: ConfigurationService, changes: dict[str, Any], path: str
) -> None:
    made = await campaign(service)
    with pytest.raises(Invalid) as caught:
        await service.patch("campaign", made.id, changes, None)
    assert paths(caught) == [path]
    assert await service.get("campaign", made.id) == made


@pytest.mark.parametrize(
    ("e164", "kind", "country"),
    [
        ("+18005550100", "toll_free", "US"),
        ("+13125550123", "local", "US"),
        ("+14165550123", "local", "CA"),
        ("+447400123456", "mobile", "GB"),
        ("+442079460123", "local", "GB"),
        ("+4930123456", "local", "DE"),
        ("+99912345678", "national", None),
    ],
)
async def test_kind_and_country_follow_from_the_digits(
    service: ConfigurationService, e164: str, kind: str, country: str | None
) -> None:
    made = await number(service, e164)
    assert (made.kind, made.country, made.state) == (kind, country, "available")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"e164": "+13125550123", "kind": "toll_free"}, "kind"),
        ({"e164": "+18005550100", "kind": "local"}, "kind"),
        ({"e164": "+13125550123", "country": "DE"}, "country"),
        ({"e164": "+13125550123", "state": "active"}, "campaign_id"),
        ({"e164": "+13125550123", "caps": [{"window": "day", "limit": 1}]}, "timezone"),
        (
            {"e164": "+13125550123", "caps": [{"id": "cap_x", "window": "concurrency", "limit": 1}]},
            "caps[0].id",
        ),
        ({"e164": "+13125550123", "campaign_id": "cmp_9"}, "campaign_id"),
    ],
)
async def test_a_contradictory_number_names_the_field(
    service: ConfigurationService, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await number(service, **fields)
    assert paths(caught) == [path]


async def test_a_number_follows_its_campaign_into_activity_and_back(service: ConfigurationService) -> None:
    made = await campaign(service)
    stock = await number(service)
    active = await patch(service, stock, campaign_id=made.id)
    assert active.state == "active"
    paused = await patch(service, active, state="paused")
    assert (await patch(service, paused, tags={"a": "b"})).state == "paused"
    back = await patch(service, active, campaign_id=None, state="available")
    assert (back.state, back.campaign_id) == ("available", None)
    other = await patch(service, back, e164="+13125550123")
    assert (other.kind, other.state) == ("local", "available")


async def test_a_day_counts_in_the_zone_of_the_number_its_hours_or_its_campaign(
    service: ConfigurationService,
) -> None:
    caps = [{"window": "day", "limit": 1}]
    zoned = await campaign(service, timezone="UTC")
    await number(service, "+13125550121", campaign_id=zoned.id, caps=caps)
    await number(service, "+13125550122", timezone="Europe/Berlin", caps=caps)
    await number(service, "+13125550123", hours=HOURS, caps=caps)


async def test_a_cap_keeps_its_id_and_so_its_count(service: ConfigurationService) -> None:
    cap = {"window": "concurrency", "limit": 1}
    made = await target(service, caps=[cap, {"window": "day", "limit": 5}])
    first, second = (one.id for one in made.caps)
    assert first and second and first != second
    changed = await patch(
        service,
        made,
        caps=[{"window": "day", "limit": 9}, {"window": "day", "limit": 1, "counts_on": "attempt"}],
    )
    assert changed.caps[0].id == second
    assert changed.caps[1].id not in (first, second)
    kept = await patch(service, changed, caps=[{"id": second, "window": "day", "limit": 2}])
    assert kept.caps[0].id == second
    twins = await patch(service, kept, caps=[{"window": "day", "limit": 1}, {"window": "day", "limit": 2}])
    assert twins.caps[0].id == second
    assert twins.caps[1].id != second
    with pytest.raises(Invalid) as caught:
        await patch(service, kept, caps=[{"id": second, **cap}, {"id": second, **cap}])
    assert paths(caught) == ["caps[1].id"]


async def test_trunks_do_not_claim_each_other_s_calls(service: ConfigurationService) -> None:
    first = await trunk(service)
    with pytest.raises(Invalid) as caught:
        await trunk(service, addresses=["198.51.100.1", "192.0.2.9"])
    assert paths(caught) == ["addresses[1]"]
    assert first.id in str(caught.value)
    await trunk(service, addresses=[], username="u", password="p")
    with pytest.raises(Invalid) as caught:
        await trunk(service, addresses=[], username="u", password="q")
    assert paths(caught) == ["username"]
    with pytest.raises(Invalid) as caught:
        await patch(service, first, proxy="sip.carrier.example")
    assert paths(caught) == ["proxy"]


async def test_a_phone_number_is_dialled_through_trunks_that_have_a_proxy(
    service: ConfigurationService,
) -> None:
    bare = await trunk(service)
    with pytest.raises(Invalid) as caught:
        await target(service, address="+13125550123", trunk_ids=[bare.id])
    assert paths(caught) == ["trunk_ids[0]"]
    await patch(service, bare, proxy="sip:sip.carrier.example")
    await target(service, address="+13125550123", trunk_ids=[bare.id])


async def test_what_is_in_use_stays_and_its_users_are_named(service: ConfigurationService) -> None:
    made = await target(service)
    user = await campaign(service, routes={"targets": [{"target_id": made.id}]})
    with pytest.raises(Conflict, match=f"campaign {user.id}.*routes.targets"):
        await service.delete("target", made.id, None)
    assert service.current.target(made.id) == made


async def test_duplicates_conflict(service: ConfigurationService) -> None:
    await number(service, external_id="x")
    with pytest.raises(Conflict, match="e164"):
        await number(service)
    with pytest.raises(Conflict, match="external_id"):
        await number(service, "+13125550123", external_id="x")


class _Slow(Objects):
    """Stands still right after its commit."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.committed, self.go = asyncio.Event(), asyncio.Event()

    async def commit(self, *arguments: Any) -> int:
        version = await super().commit(*arguments)
        self.committed.set()
        await self.go.wait()
        return version


async def test_an_edit_whose_client_is_gone_is_still_published(database: Database) -> None:
    objects = _Slow(database)
    async with ConfigurationService(objects, SystemClock()) as service:
        edit = asyncio.create_task(number(service))
        await objects.committed.wait()
        edit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await edit
        objects.go.set()
    assert service.current.number("+18005550100") is not None


async def test_edits_at_the_same_moment_are_all_in_the_snapshot(service: ConfigurationService) -> None:
    made = await asyncio.gather(*(number(service, f"+1312555010{n}") for n in range(8)))
    assert all(service.current.number_by_id(item.id) == item for item in made)


class _Down(Objects):
    async def commit(self, *_: object) -> int:
        raise Down("disk full")


async def test_a_store_that_is_down_changes_nothing(database: Database) -> None:
    async with ConfigurationService(_Down(database), SystemClock()) as service:
        with pytest.raises(StoreDown, match="disk full"):
            await number(service)
        assert service.current.number("+18005550100") is None


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"headers": {"v": "1"}}, "headers.v"),
        ({"headers": {"call-ID": "1"}}, "headers.call-ID"),
        ({"headers": {"X-Edge-Call-Key": "1"}}, "headers.X-Edge-Call-Key"),
        ({"address": "sip:@"}, "address"),
        ({"address": "sip:a@[::1"}, "address"),
        ({"address": "sip:a@b:99999"}, "address"),
        ({"address": "sip:a@b?Route=c"}, "address"),
    ],
)
async def test_a_target_that_would_break_its_requests_is_refused(
    service: ConfigurationService, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await target(service, **fields)
    assert [error.path for error in refused.value.errors] == [path]


async def test_placeholders_may_stand_anywhere_in_an_address(service: ConfigurationService) -> None:
    made = await target(
        service, address="sip:[number]@[tag:pbx].example:[tag:port]", headers={"X-Id": "[call_id]"}
    )
    assert made.address.startswith("sip:[number]")
