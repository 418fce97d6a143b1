"""Prompts: uploaded audio, listened to as WAV."""

from pydantic import BaseModel

from edge.admin.bodies import validated
from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import created, one, page
from edge.admin.queries import PromptQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.config import Prompt
from edge.services.configuration import PromptSpec

PROMPTS = Routes("prompts")


@PROMPTS.add("GET", "/prompts", "List prompts", query=PromptQuery, answer=Prompt, shape="list")
async def listing(ports: Ports, exchange: Exchange) -> Reply:
    return await page(await ports.configuration.list("prompt", exchange.query.listing()), exchange)


@PROMPTS.add(
    "POST",
    "/prompts",
    "Upload a prompt, or have one spoken",
    body=PromptSpec,
    body_kind="multipart",
    answer=Prompt,
    status=201,
    slow=True,  # up to 20 MB, over a line that may be slow
)
async def upload(ports: Ports, exchange: Exchange) -> Reply:
    fields = dict(exchange.body.fields)
    text = fields.pop("text", None)
    spec: BaseModel = validated(PromptSpec, fields)
    assert isinstance(spec, PromptSpec)
    if text is not None:
        return created(await ports.prompts.speak(spec.name, text, spec.external_id), exchange.path)
    prompt = await ports.prompts.upload(spec.name, exchange.body.file, spec.external_id)
    return created(prompt, exchange.path)


@PROMPTS.add("GET", "/prompts/{id}", "Read a prompt", answer=Prompt)
async def read(ports: Ports, exchange: Exchange) -> Reply:
    return one(await ports.configuration.get("prompt", exchange.parameters["id"]))


@PROMPTS.add("PATCH", "/prompts/{id}", "Rename a prompt", body=PromptSpec, body_kind="patch", answer=Prompt)
async def change(ports: Ports, exchange: Exchange) -> Reply:
    version = expected_version(exchange)
    return one(await ports.configuration.patch("prompt", exchange.parameters["id"], exchange.body, version))


@PROMPTS.add("DELETE", "/prompts/{id}", "Delete a prompt", shape="none", status=204)
async def delete(ports: Ports, exchange: Exchange) -> Reply:
    await ports.prompts.delete(exchange.parameters["id"], expected_version(exchange))
    return Reply(status=204)


@PROMPTS.add("GET", "/prompts/{id}/audio", "Listen to a prompt", shape="binary")
async def audio(ports: Ports, exchange: Exchange) -> Reply:
    return Reply(await ports.prompts.audio(exchange.parameters["id"]), content_type="audio/wav")
