"""``edge db upgrade``."""

from edge.commands.failure import CommandFailed
from edge.settings import Settings
from edge.store.database import StoreInUse, only_server
from edge.store.opening import SCHEMA, SchemaTooNew, StoreUnusable, prepare


def upgrade(settings: Settings) -> str:
    """Migrates the embedded database; answers in a line what was done."""
    path = settings.database_path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with only_server(path):
            copy = prepare(path)
    except (SchemaTooNew, StoreUnusable, StoreInUse) as error:
        raise CommandFailed(str(error)) from error
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}; is data_dir writable?") from error
    kept = f"; the old one is kept as {copy}" if copy else ""
    return f"{path} has schema {SCHEMA}{kept}"
