"""The carriers' presets, which trunks name; read only: they come from files."""

from edge.admin.ports import Ports
from edge.admin.present import encode, many
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.preset import Preset
from edge.services.errors import NotFound

TRUNK_PRESETS = Routes("trunk-presets")


@TRUNK_PRESETS.add("GET", "/trunk-presets", "List the carriers' presets", answer=Preset, shape="list")
async def presets(ports: Ports, _exchange: Exchange) -> Reply:
    return await many(ports.presets.all())


@TRUNK_PRESETS.add("GET", "/trunk-presets/{name}", "Read a carrier's preset", answer=Preset)
async def preset(ports: Ports, exchange: Exchange) -> Reply:
    found = ports.presets.get(exchange.parameters["name"])
    if found is None:
        raise NotFound("there is no such preset")
    return Reply(encode(found))
