"""The API against its own OpenAPI document, and the page made of it."""

import asyncio
import re
import sys
from html.parser import HTMLParser
from itertools import count
from pathlib import Path

from edge.admin.app import BASE, build
from edge.admin.listener import Listener
from edge.admin.ports import Ports
from edge.admin.resources import ROUTES
from tests.admin.client import Client
from tests.admin.conftest import ADMIN, ANYWHERE

# What it sends by its schema may still clash between fields (422), so acceptance is not asked for; an
# edit of what was changed meanwhile is refused (412) before its body is looked at.
CONFIGURATION = """
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429]
"""
ARGUMENTS = ("--phases", "fuzzing", "--max-examples", "5", "--seed", "1", "--continue-on-failure")


async def test_the_api_keeps_to_its_own_document(ports: Ports, tmp_path: Path) -> None:
    # The clock leaps at each look, so that its wrong tokens are never too many.
    leaps = count(step=60.0)
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    program = str(Path(sys.executable).with_name("schemathesis"))
    async with Listener(build(ports, monotonic=lambda: next(leaps)).admin, ANYWHERE) as listener:
        process = await asyncio.create_subprocess_exec(
            *(program, "--config-file", str(configuration), "--no-color", "run"),
            *(f"{listener.url}{BASE}/openapi.json", "-H", f"Authorization: Bearer {ADMIN}", *ARGUMENTS),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert f"Tested: {len(ROUTES)}" in output.decode()


async def test_the_document_tells_every_route(api: Client) -> None:
    document = (await api.get("openapi.json")).json
    assert document["openapi"].startswith("3.1")
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(route.method, BASE + route.path) for route in ROUTES}
    assert document["components"]["schemas"]["TrunkSpec"]["additionalProperties"] is False


async def test_the_document_says_what_a_merge_patch_may_empty(api: Client) -> None:
    schemas = (await api.get("openapi.json")).json["components"]["schemas"]
    null = {"type": "null"}
    number, campaign = schemas["NumberPatch"]["properties"], schemas["CampaignPatch"]["properties"]
    (tag,) = number["tags"]["anyOf"][0]["patternProperties"].values()
    assert null in tag["anyOf"]
    assert all(null in field["anyOf"] for name, field in number.items() if name != "e164")
    assert null in campaign["routes"]["anyOf"] and "anyOf" not in campaign["name"]


async def test_the_document_tells_which_edits_may_name_a_version(api: Client) -> None:
    paths = (await api.get("openapi.json")).json["paths"]
    named = {
        (method, path.removeprefix(BASE + "/"))
        for path, methods in paths.items()
        for method, operation in methods.items()
        if any(each["name"] == "If-Match" for each in operation["parameters"])
    }
    one = "numbers/{id}"
    posts = {path for method, path in named if method == "post"}
    settings = {f"{one}/settings/{name}" for name in ("routes", "prompts", "conversions", "webhooks")}
    assert posts == {
        *(f"{one}/{what}" for what in ("release", "restore", "carrier-status")),
        *(f"{path}/{what}" for path in settings for what in ("lock", "unlock")),
        "holiday-calendars/{id}/import",
    }
    assert ("delete", "pools/{id}/numbers/{number_id}") in named
    assert ("delete", "sip/bans") not in named


async def test_the_document_never_shows_a_secret_as_readable(api: Client) -> None:
    schemas = (await api.get("openapi.json")).json["components"]["schemas"]
    for name in ("TrunkRead", "TargetRead"):
        assert "string" not in str(schemas[name]["properties"]["password"]["anyOf"])


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action")]


async def test_the_docs_page_needs_no_other_host_and_no_script(api: Client) -> None:
    page = await api.get("/api/docs")
    links = _Links()
    links.feed(page.body.decode())
    assert links.found == ["/api/v1/openapi.json"]
    assert "script" not in links.tags
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    told = re.findall(r"<b>(\w+)</b> <code>([^<]+)</code>", page.body.decode())
    assert {(route.method, BASE + route.path) for route in ROUTES} == set(told)
