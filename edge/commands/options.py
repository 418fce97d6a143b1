"""Options that several commands share, and what they stand for."""

import os
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.failure import CommandFailed
from edge.near import WILDCARDS
from edge.settings import Settings, SettingsError, load

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Configuration file; else EDGE_CONFIG, else ./config/edge.toml if present."
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="EDGE_URL",
        help="The running server, such as http://127.0.0.1:8080; else admin.listen.",
    ),
]
CallerOption = Annotated[str | None, typer.Option("--caller", help="Calls of this caller (E.164).")]
NumberOption = Annotated[str | None, typer.Option("--number", help="Calls to this number (E.164).")]
FileArgument = Annotated[Path, typer.Argument(help="A set-up as edge export prints it; - reads a pipe.")]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Remove what the file does not name (never numbers).")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Calls since then: 2026-11-22T09:00:00Z, or 30m, 12h, 7d ago.")
]


def settings_of(config: Path | None) -> Settings:
    """The settings, or the command's end with everything that is wrong with them (exit code 2)."""
    try:
        return load(config)
    except SettingsError as error:
        listed = "\n".join(f"  {problem}" for problem in error.problems)
        raise CommandFailed(f"the configuration can not be used:\n{listed}", 2) from None


def server_url(url: str | None, config: Path | None) -> str:
    """Where the running server's API is."""
    if url:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"--url {url!r}: write it as http://host:port", 2)
        return url.rstrip("/")
    host, port = settings_of(config).admin.address
    reached = WILDCARDS.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def api_token(config: Path | None) -> str:
    """EDGE_TOKEN (or the file that EDGE_TOKEN_FILE names), else the admin token of this environment."""
    token = os.environ.get("EDGE_TOKEN", "").strip() or _token_file()
    if token:
        return token
    own = settings_of(config).admin_token
    if own is not None:
        return own.get_secret_value()
    raise CommandFailed("no API token: set EDGE_TOKEN (edge token create --role admin prints one)", 2)


def _token_file() -> str:
    path = os.environ.get("EDGE_TOKEN_FILE")
    if not path:
        return ""
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise CommandFailed(f"EDGE_TOKEN_FILE {path!r} can not be read: {error.strerror}", 2) from None
