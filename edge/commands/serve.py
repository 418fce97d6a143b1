"""``edge serve``: runs the server until SIGTERM or SIGINT."""

import asyncio
import json
from pathlib import Path

from edge import app
from edge.commands.failure import CommandFailed
from edge.commands.loop import server_loop
from edge.commands.network_checks import listeners
from edge.descriptors import raise_limit
from edge.logs import configured
from edge.media.engine import MediaUnavailable
from edge.services.presets import PresetsUnusable
from edge.settings import Settings
from edge.store.database import StoreInUse
from edge.store.opening import SchemaTooNew, StoreUnusable


def serve(settings: Settings, ready_file: Path | None) -> None:
    """Runs; raises CommandFailed when the server can not start."""
    raise_limit()
    with configured(settings.logs.level, settings.logs.format):
        try:
            with asyncio.Runner(loop_factory=server_loop) as runner:
                runner.run(app.serve(settings, lambda addresses: _tell(addresses, ready_file)))
        except (SchemaTooNew, StoreUnusable, StoreInUse, MediaUnavailable, PresetsUnusable) as error:
            raise CommandFailed(str(error)) from error
        except OSError as error:
            raise CommandFailed(_why(settings, error)) from error


def _why(settings: Settings, error: OSError) -> str:
    """Names the setting behind the error, where that is a listening address."""
    found = [finding for finding in listeners(settings, running=False) if finding.level == "fail"]
    lines = [f"can not start: {error}"] if not found else ["can not start:"]
    lines += [f"  {finding.text}\n  → {finding.remedy}" for finding in found]
    return "\n".join(lines)


def _tell(addresses: app.Addresses, ready_file: Path | None) -> None:
    if ready_file is None:
        return
    # Renamed into place: whoever waits for the file never reads half of it.
    draft = ready_file.with_name(ready_file.name + ".new")
    draft.write_text(json.dumps({"admin": addresses.admin, "public": addresses.public, "sip": addresses.sip}))
    draft.rename(ready_file)
