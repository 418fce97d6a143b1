"""``edge token create``: by the running server, else straight into the database."""

from pathlib import Path
from typing import NamedTuple, get_args

from edge.clock import SystemClock
from edge.commands.client import Api, NoServer
from edge.commands.failure import CommandFailed
from edge.commands.options import settings_of
from edge.model.config import Role
from edge.services.errors import ServiceError
from edge.services.tokens import TokenService
from edge.settings import Settings
from edge.store.database import StoreInUse, only_server
from edge.store.engine import Database
from edge.store.opening import SchemaTooNew, StoreUnusable, prepare
from edge.store.tokens import Tokens

_ROLES: tuple[Role, ...] = get_args(Role)


class Owner(NamedTuple):
    """Whose token it is, for the roles ``publisher`` and ``buyer``."""

    publisher_id: str | None = None
    buyer_id: str | None = None


async def create(role: str, name: str, url: str | None, config: Path | None, owner: Owner) -> str:
    """The text of a new token."""
    chosen = next((known for known in _ROLES if known == role), None)
    if chosen is None:
        raise CommandFailed(f"--role {role!r}: choose one of {', '.join(_ROLES)}", 2)
    if url is not None:
        return await _by_server(chosen, name, owner, url, config)
    settings = settings_of(config)
    try:
        return await _in_database(chosen, name, owner, settings)
    except StoreInUse:
        return await _by_server(chosen, name, owner, None, config)


async def _by_server(role: Role, name: str, owner: Owner, url: str | None, config: Path | None) -> str:
    async with Api.of(url, config) as api:
        try:
            made = await api.post("/tokens", {"role": role, "name": name, **owner._asdict()})
        except NoServer as error:
            raise NoServer(f"{error}; or leave --url out where its database is") from None
    return str(made["token"])


async def _in_database(role: Role, name: str, owner: Owner, settings: Settings) -> str:
    path = settings.database_path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The server's own lock: it keeps its tokens in memory and would not know of this one.
        with only_server(path):
            prepare(path)
            async with Database(path) as database, TokenService(Tokens(database), SystemClock()) as tokens:
                _, secret = await tokens.create(role, name, *owner)
    except (SchemaTooNew, StoreUnusable, ServiceError) as error:
        raise CommandFailed(str(error)) from error
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}; is data_dir writable?") from error
    return secret
