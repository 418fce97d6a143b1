"""What must hold when an object is saved beyond its own shape, and what the server fills in."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from edge.calls.dialplan import is_ours, wrong_address
from edge.calls.passing import may_allow
from edge.ids import new_id
from edge.model.block import Block
from edge.model.buyer import Buyer, Group
from edge.model.cap import Cap
from edge.model.config import Campaign, Number, NumberSpec, Routes, Target, Trunk
from edge.model.kinds import Object
from edge.model.pool import CallTrackingTag, Pool
from edge.model.publishers import Publisher
from edge.model.sip import SIP_URI, SipSettings
from edge.routing.caps import zone_missing, zone_of
from edge.routing.snapshot import Snapshot
from edge.services.errors import FieldError, Invalid
from edge.services.loops import circles
from edge.services.membership import pool_number, pool_rules, tag_rules
from edge.services.numbering import area_code_of, contradictions, plan_of

CapOwner = Number | Campaign | Target | Buyer | Group | Publisher
_NO_ZONE = FieldError("timezone", "a cap by the calendar needs a time zone, such as America/New_York")
_SIP_URI = re.compile(SIP_URI)


def filled(item: Object, before: Object | None, known: tuple[Cap, ...] = ()) -> Object:
    """The object with what the server adds: ids of caps, and a number's kind, country and state.

    Raises Invalid when a cap names an id that neither this object nor ``known`` has.
    """
    changes: dict[str, Any] = {}
    if isinstance(item, CapOwner):
        old = (*(before.caps if isinstance(before, CapOwner) else ()), *known)
        changes["caps"] = cap_ids(item.caps, old)
    if isinstance(item, Number):
        changes |= _number_fields(item)
        if isinstance(before, Number) and (before.state, item.state) == ("retired", "available"):
            # Back into stock by hand: the carrier has given it to us again.
            changes["release"] = None
        if item.withdrawn is not None and (item.pool_id or item.campaign_id or item.state != "available"):
            # In use again: what its last visitor's calls were owed is over.
            changes["withdrawn"] = None
    return item.model_copy(update=changes) if changes else item


def cap_ids(caps: tuple[Cap, ...], before: tuple[Cap, ...]) -> tuple[Cap, ...]:
    """Caps with ids: their own, else that of the old cap of the same window, block and trigger, else new.

    So that changing a ``limit`` keeps what is used (Rule: caps).
    """
    _check_ids(caps, before)
    given = {cap.id for cap in caps}
    free = [cap for cap in before if cap.id not in given]
    found = []
    for cap in caps:
        match = next((old for old in free if cap.id is None and _same(old, cap)), None)
        if match is not None:
            free.remove(match)
        given_id = cap.id or (match.id if match else new_id("cap"))
        found.append(cap.model_copy(update={"id": given_id, "strict": cap.is_strict}))
    return tuple(found)


_IDENTITY = ("window", "from_", "to", "days", "counts_on")


def _same(old: Cap, new: Cap) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in _IDENTITY)


def _check_ids(caps: tuple[Cap, ...], before: tuple[Cap, ...]) -> None:
    known, seen, errors = {cap.id for cap in before}, set(), []
    for index, cap in enumerate(caps):
        if cap.id is not None and (cap.id not in known or cap.id in seen):
            why = "leave the id of a new cap out: the server gives it; an old one may stand once"
            errors.append(FieldError(f"caps[{index}].id", why))
        seen.add(cap.id)
    if errors:
        raise Invalid(errors)


def _number_fields(number: Number) -> dict[str, Any]:
    country, kind = plan_of(number.e164)
    state = number.state or ("active" if number.campaign_id or number.pool_id else "available")
    area_code = number.area_code or area_code_of(number.e164)
    plan = {"kind": number.kind or kind, "country": number.country or country, "area_code": area_code}
    return {**plan, "state": state, **_sub_id(number)}


def _sub_id(number: Number) -> dict[str, Any]:
    """The field and the tag of that name hold one value; Invalid when they are written as two."""
    tag = number.tags.get("sub_id")
    if tag is None and number.sub_id is None:
        return {}
    if not isinstance(tag, str | None) or tag == "":
        raise Invalid([FieldError("tags.sub_id", "sub_id has one value that is not empty")])
    if None not in (tag, number.sub_id) and tag != number.sub_id:
        raise Invalid([FieldError("sub_id", "sub_id and tags.sub_id are one value; write one of them")])
    value = number.sub_id or tag
    return {"sub_id": value, "tags": {**number.tags, "sub_id": value}}


def folded(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A patch of a number with its tags' keys as they are stored, so that null finds what it removes."""
    tags = changes.get("tags")
    if not isinstance(tags, Mapping):
        return dict(changes)
    return {**changes, "tags": {key.lower(): value for key, value in tags.items()}}


def reset_for_patch(before: NumberSpec, merged: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Lets the server fill in again what followed from a field of a number that was patched."""
    refuse_leaving(before, changes.get("pool_id", before.pool_id))
    moved = "campaign_id" in changes or "pool_id" in changes
    if moved and "state" not in changes and before.state in ("active", "available"):
        merged.pop("state", None)
    if "e164" in changes:
        for name in ("kind", "country", "area_code"):
            if name not in changes:
                merged.pop(name, None)
    if "sub_id" in changes and "sub_id" not in (changes.get("tags") or {}):
        (merged.get("tags") or {}).pop("sub_id", None)
    elif "tags" in changes and "sub_id" not in changes:
        merged.pop("sub_id", None)


def refuse_leaving(before: NumberSpec, pool_id: object) -> None:
    """Raises Invalid for an edit that takes a number out of its pool: the pool's own path keeps what
    its last visitor was promised (Rule: number pools)."""
    if before.pool_id is not None and pool_id != before.pool_id:
        why = f"take it out of its pool by DELETE pools/{before.pool_id}/numbers/ID, so that visitors keep it"
        raise Invalid([FieldError("pool_id", why)])


def check(item: Object, snapshot: Snapshot) -> None:
    """Raises Invalid with every rule that the object would break among the others."""
    errors: list[FieldError] = []
    if isinstance(item, Number):
        errors += _number(item, snapshot)
    elif isinstance(item, Target):
        errors += _target(item, snapshot)
    elif isinstance(item, Trunk):
        errors += _trunk(item, snapshot)
    elif isinstance(item, Campaign):
        errors += _campaign(item, snapshot)
    elif isinstance(item, Pool):
        errors += pool_rules(item, snapshot)
    elif isinstance(item, CallTrackingTag):
        errors += tag_rules(item, snapshot)
    elif isinstance(item, Block):
        errors += _block(item, snapshot)
    elif isinstance(item, Buyer | Group | Publisher):
        errors += _above_targets(item)
    if isinstance(item, Number | Campaign):
        errors += circles(item, snapshot)
    if errors:
        raise Invalid(errors)


def _number(number: Number, snapshot: Snapshot) -> Iterator[FieldError]:
    yield from contradictions(number)
    yield from pool_number(number, snapshot)
    if (number.state in ("cooling", "retired")) != (number.release is not None):
        yield FieldError("state", "a number is released, marked and restored by their own paths")
    if number.state in ("cooling", "retired") and (number.campaign_id or number.publisher_id):
        yield FieldError("campaign_id", "a released number belongs to nobody; restore it first")
    if number.state == "active" and number.campaign_id is None and number.pool_id is None:
        yield FieldError("campaign_id", "an active number belongs to a campaign; name it")
    if number.state == "available" and number.campaign_id is not None:
        yield FieldError("state", "an available number belongs to no campaign; make it active or paused")
    if number.state == "available" and number.publisher_id is not None:
        yield FieldError("publisher_id", "an available number belongs to no publisher")
    if number.publisher_id is not None and snapshot.publisher(number.publisher_id) is None:
        yield FieldError("publisher_id", f"there is no publisher with the id {number.publisher_id!r}")
    if number.settings.routes is not None:
        yield from _own_routes(number.settings.routes.value)
    campaign = snapshot.campaign(number.campaign_id) if number.campaign_id else None
    zone = zone_of(campaign.timezone, campaign.hours) if campaign else None
    if number.campaign_id is not None and campaign is None:
        yield FieldError("campaign_id", f"there is no campaign with the id {number.campaign_id!r}")
    if zone_missing(number.caps, zone_of(number.timezone, number.hours), zone):
        yield _NO_ZONE


def _own_routes(routes: Routes) -> Iterator[FieldError]:
    if not routes.targets and routes.menu is None:
        yield FieldError(
            "settings.routes.value.targets", "a number's own routes may not be empty; name a target"
        )
    yield from _routes(routes, "settings.routes.value")


def _block(block: Block, snapshot: Snapshot) -> Iterator[FieldError]:
    known = snapshot.blocks.of_pattern(block.campaign_id, block.pattern)
    if known is not None and known.id != block.id:
        yield FieldError("pattern", f"block {known.id} has this pattern already")


def _campaign(campaign: Campaign, snapshot: Snapshot) -> Iterator[FieldError]:
    if zone_missing(campaign.caps, zone_of(campaign.timezone, campaign.hours)):
        yield _NO_ZONE
    yield from zone_lost(snapshot.campaign(campaign.id), campaign, snapshot)
    yield from _routes(campaign.routes, "routes")


def zone_lost(before: Campaign | None, after: Campaign, snapshot: Snapshot) -> Iterator[FieldError]:
    """Numbers without a zone of their own count by their campaign's; costs a walk if that goes."""
    had = before is not None and zone_of(before.timezone, before.hours) is not None
    if not had or zone_of(after.timezone, after.hours) is not None:
        return
    for number in snapshot.tables()["numbers"].values():
        own = zone_of(number.timezone, number.hours)
        if number.campaign_id == after.id and zone_missing(number.caps, own):
            yield FieldError("timezone", f"the caps of number {number.id} count in it; give that one its own")
            return


def _routes(routes: Routes, path: str) -> Iterator[FieldError]:
    entries = routes.targets
    yield from _once([entry.target_id for entry in entries], path + ".targets[{}].target_id", "target")
    yield from _once([entry.group_id for entry in entries], path + ".targets[{}].group_id", "group")


def _once(ids: Iterable[str | None], path: str, what: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, listed in enumerate(ids):
        if listed in seen:
            yield FieldError(path.format(index), f"this {what} is listed twice")
        if listed is not None:
            seen.add(listed)


def _above_targets(item: Buyer | Group | Publisher) -> Iterator[FieldError]:
    if zone_missing(item.caps, item.timezone):
        yield _NO_ZONE
    if isinstance(item, Group):
        yield from _once([member.target_id for member in item.members], "members[{}].target_id", "target")


_OF_A_PBX: Final = ("peer_addresses", "peer_trunk_ids")


def _target(target: Target, snapshot: Snapshot) -> Iterator[FieldError]:
    for name in target.headers:
        if is_ours(name):
            yield FieldError(f"headers.{name}", "this header is the server's own; use another name")
    yield from _allowed(target.sip)
    wrong = None if target.address.startswith("+") else wrong_address(target.address)
    if wrong is not None:
        yield FieldError("address", f"{wrong}; write sip:user@host, such as sip:sales@pbx.example.com")
    if target.address.startswith("+"):
        if target.sip.allow_refer:
            yield FieldError("sip.allow_refer", "its calls are a carrier's; only a SIP address may transfer")
        for name in _OF_A_PBX:
            if getattr(target.sip, name):
                yield FieldError(f"sip.{name}", "a phone number has no PBX that could take its calls over")
        for index, trunk_id in enumerate(target.trunk_ids):
            trunk = snapshot.trunk(trunk_id)
            if trunk is not None and not trunk.proxy:
                yield FieldError(f"trunk_ids[{index}]", f"trunk {trunk_id} has no proxy to send calls to")


def _allowed(sip: SipSettings) -> Iterator[FieldError]:
    for index, name in enumerate(sip.header_allow):
        if not may_allow(name):
            why = "the server writes this header itself, or another setting decides about it"
            yield FieldError(f"sip.header_allow[{index}]", why)


def of_a_carrier(sip: SipSettings) -> Iterator[FieldError]:
    """What a trunk's SIP settings, and so a preset's, may not say."""
    yield from _allowed(sip)
    if sip.allow_refer:
        yield FieldError("sip.allow_refer", "a carrier transfers no calls; set it on a target")
    for name in _OF_A_PBX:
        if getattr(sip, name):
            yield FieldError(f"sip.{name}", "nobody takes over the calls of a carrier; set it on a target")


def _trunk(written: Trunk, snapshot: Snapshot) -> Iterator[FieldError]:
    yield from _preset(written, snapshot)
    trunk = snapshot.presets.effective(written)
    yield from of_a_carrier(trunk.sip)
    if trunk.proxy is not None and not _SIP_URI.fullmatch(trunk.proxy):
        yield FieldError("proxy", "write a SIP URI, such as sip:sip.carrier.example")
    for other in snapshot.trunks():
        if other.id == trunk.id:
            continue
        for index, address in enumerate(trunk.addresses):
            if address in other.addresses and None in (trunk.username, other.username):
                yield FieldError(f"addresses[{index}]", f"trunk {other.id} has this address already")
        if trunk.username is not None and trunk.username == other.username:
            yield FieldError("username", f"trunk {other.id} has this user name already")


def _preset(written: Trunk, snapshot: Snapshot) -> Iterator[FieldError]:
    """The preset must be known, and leave nothing open that a trunk needs."""
    if written.preset is None:
        return
    preset = snapshot.presets.get(written.preset)
    if preset is None:
        known = ", ".join(preset.name for preset in snapshot.presets.all())
        yield FieldError("preset", f"there is no preset {written.preset!r}; known are {known}")
    elif not preset.filled(written).addresses and written.username is None:
        why = f"preset {preset.name} has no addresses: take them from {preset.source or 'the carrier'}"
        yield FieldError("addresses", why)
