"""What browsers reach, without a token: the numbers of a campaign's tags, and the life of a visit.

Bodies are JSON, sent as ``text/plain`` so that no browser asks beforehand (or as ``application/json``).
"""

import ipaddress
import re
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from edge.admin.bodies import parse_json, validated
from edge.admin.cors import cross_origin
from edge.admin.ports import Ports
from edge.admin.present import encode
from edge.admin.problem import Problem
from edge.admin.snippet import PATH as SCRIPT_PATH
from edge.admin.snippet import served
from edge.model.types import Dialled
from edge.model.visits import PageView
from edge.networks import Networks
from edge.services.visits import Asking, Shown
from edge.snippet.script import script

MAX_BODY = 16 << 10
_TYPES = ("text/plain", "application/json", "application/octet-stream")
VisitorId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Url = Annotated[str, StringConstraints(max_length=4000)]
Short = Annotated[str, StringConstraints(max_length=200)]
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+):\d+")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
Data = Annotated[dict[str, Any], Field(max_length=200)]


class _Sent(BaseModel):
    """What a browser sends; a newer page's further fields are not read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    visitor_id: VisitorId
    tags: Data = {}


class PageSpec(_Sent):
    """A page view: where, from where, and the data that the page adds."""

    page_url: Url = ""
    first_url: Url = ""
    referrer: Url = ""
    screen: Short = ""
    language: Short = ""


class BeatSpec(_Sent):
    """A sign of life of a visit, or its end; ``generation`` is the one that came with the number."""

    generation: Annotated[int, Field(ge=0)] = 0


class DuplicateSpec(BaseModel):
    """What a second snippet tells of its page; it has no visitor."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    page_url: Url = ""


class CallerSpec(BaseModel):
    """What a publisher knows of a caller to the campaign."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    caller: Dialled
    tags: Annotated[Data, Field(min_length=1)]


class TagAnswer(BaseModel):
    """What the page is to show for one tag."""

    tag_id: str
    impression_id: str | None
    generation: int
    e164: str
    formatted: str
    number_to_replace: str
    is_pool: bool
    pool_miss: bool
    reason: str | None
    open_now: bool
    opens_at: datetime | None


class PublicFace:
    """The handlers; ``add_to`` puts them where browsers reach them."""

    def __init__(self, ports: Ports) -> None:
        self._visits = ports.pools.visits
        self._enrichment = ports.enrichment
        self._proxies = Networks.of(ports.trusted_proxies)
        self._url = ports.public_url

    def add_to(self, application: web.Application) -> None:
        """Adds every public route."""
        application.on_response_prepare.append(cross_origin)
        router = application.router
        router.add_get(SCRIPT_PATH, self.script)
        router.add_post("/t/{campaign_id}/numbers", self.numbers)
        router.add_post("/t/{campaign_id}/callers", self.callers)
        router.add_post("/t/{campaign_id}/duplicate-snippet", self.duplicate)
        router.add_post("/t/impressions/{id}/activity", self.activity)
        router.add_post("/t/impressions/{id}/close", self.close)

    async def script(self, request: web.Request) -> web.Response:
        """The snippet of a campaign; without a ``public.url`` it talks to the host that it was asked of."""
        campaign_id = request.match_info["campaign_id"]
        self._visits.active_tags(campaign_id)
        return served(request, script(campaign_id, self._url or asked_url(request, self._proxies)))

    async def numbers(self, request: web.Request) -> web.Response:
        """A number for each tag of the campaign."""
        campaign_id, asking = request.match_info["campaign_id"], self._asking(request)
        page = await _body(request, PageSpec)
        self._visits.active_tags(campaign_id)
        self._admit(campaign_id, asking)
        view = PageView(page.page_url, page.first_url, page.referrer, page.language, page.screen)
        found = await self._visits.numbers(campaign_id, page.visitor_id, view, page.tags, asking)
        tags = [_answer(shown) for shown in found.shown]
        open_now = any(shown.open_now for shown in found.shown)
        body: dict[str, Any] = {"open_now": open_now, "tags": tags}
        if found.ignored:
            body["ignored"] = list(found.ignored)
        return _json(body)

    async def activity(self, request: web.Request) -> web.Response:
        """Use of the page: it still has its number, or gets another one to show."""
        asking = self._paced(request)
        beat = await _body(request, BeatSpec)
        shown = await self._visits.activity(
            request.match_info["id"], beat.visitor_id, beat.generation, beat.tags, asking
        )
        body = {"superseded": shown is not None, "tags": [] if shown is None else [_answer(shown)]}
        return _json(body)

    async def close(self, request: web.Request) -> web.Response:
        """The page was closed (a beacon: nobody reads the answer)."""
        asking = self._paced(request)
        beat = await _body(request, BeatSpec)
        await self._visits.close(request.match_info["id"], beat.visitor_id, beat.generation, asking)
        return web.Response(status=204)

    async def callers(self, request: web.Request) -> web.Response:
        """What a publisher knows of a caller before the call; kept for 48 hours."""
        asking, campaign_id = self._paced(request), request.match_info["campaign_id"]
        said = await _body(request, CallerSpec)
        self._visits.active(campaign_id)
        self._admit(campaign_id, asking)
        heard = await self._enrichment.say(campaign_id, said.caller, said.tags)
        body: dict[str, Any] = {"result": "in_progress" if heard.in_progress else "stored"}
        return _json({**body, "ignored": list(heard.ignored)} if heard.ignored else body)

    async def duplicate(self, request: web.Request) -> web.Response:
        """A second snippet found another one on its page, and leaves it alone."""
        asking, campaign_id = self._paced(request), request.match_info["campaign_id"]
        page = await _body(request, DuplicateSpec)
        self._visits.active_tags(campaign_id)
        self._admit(campaign_id, asking)
        await self._visits.duplicate(campaign_id, page.page_url)
        return web.Response(status=204)

    def _admit(self, campaign_id: str, asking: Asking) -> None:
        """Raises Problem 403 for pages of foreign sites."""
        if not self._visits.allows(campaign_id, asking.origin):
            raise Problem(403, "pages of this site may not use the campaign's snippet; see allowed_origins")

    def _paced(self, request: web.Request) -> Asking:
        asking = self._asking(request)
        if not self._visits.may_beat(asking):
            raise Problem(429, "too many requests from this address", headers={"Retry-After": "60"})
        return asking

    def _asking(self, request: web.Request) -> Asking:
        headers = request.headers
        address = client_address(request, self._proxies)
        return Asking(address, headers.get("Origin"), headers.get("User-Agent", ""))


def client_address(request: web.Request, proxies: Networks[bool]) -> str:
    """Whom a request comes from: what the last proxy that is trusted says, read from the right."""
    address = request.remote or ""
    named = [each.strip() for each in ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")]
    while named and address in proxies:
        said = _address(named.pop())
        if said is None:
            break
        address = said
    return address


def asked_url(request: web.Request, proxies: Networks[bool]) -> str:
    """``http(s)://host`` as the browser wrote it; a trusted proxy may say that it was https."""
    if _HOST.fullmatch(request.host) is None:
        raise Problem(400, "the Host header names no host")
    said = request.headers.get("X-Forwarded-Proto", "")
    believed = said in {"http", "https"} and (request.remote or "") in proxies
    return f"{said if believed else request.scheme}://{request.host}"


def _address(text: str) -> str | None:
    """The address in a value of X-Forwarded-For; some proxies write brackets and a port with it."""
    found = _WITH_PORT.fullmatch(text)
    address = (found[1] or found[2]) if found is not None else text
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return address


async def _body(request: web.Request, model: type[Any]) -> Any:
    if request.content_type not in _TYPES:
        raise Problem(415, "send the body as JSON, as text/plain or application/json")
    if (request.content_length or 0) > MAX_BODY:
        raise Problem(413, f"the body may have {MAX_BODY} bytes at most")
    raw = bytearray()
    async for piece in request.content.iter_any():
        raw += piece
        if len(raw) > MAX_BODY:
            raise Problem(413, f"the body may have {MAX_BODY} bytes at most")
    parse_json(bytes(raw))
    return validated(model, bytes(raw))


def _answer(shown: Shown) -> dict[str, Any]:
    if shown.number is None:
        return {"tag_id": shown.tag.id, "status": 404}
    return TagAnswer(
        tag_id=shown.tag.id,
        impression_id=shown.impression_id,
        generation=shown.generation,
        e164=shown.e164,
        formatted=shown.formatted,
        number_to_replace=shown.tag.number_to_replace,
        is_pool=shown.is_pool,
        pool_miss=shown.pool_miss,
        reason=shown.reason,
        open_now=shown.open_now,
        opens_at=shown.opens_at,
    ).model_dump(mode="json")


def _json(body: dict[str, Any]) -> web.Response:
    return web.Response(body=encode(body), content_type="application/json")
