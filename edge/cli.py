"""The command line: ``edge COMMAND``.  Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

Commands import what they need when they run: ``edge --help`` must not load a SIP server.
"""
# ruff: noqa: PLC0415

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from edge import __version__
from edge.commands.failure import CommandFailed
from edge.commands.options import (
    CallerOption,
    ConfigOption,
    FileArgument,
    NumberOption,
    PruneOption,
    SinceOption,
    UrlOption,
    settings_of,
)

app = typer.Typer(
    name="edge",
    help="A SIP edge server for call tracking and pay-per-call routing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
token = typer.Typer(help="API tokens.", no_args_is_help=True)
database = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(token, name="token")
app.add_typer(database, name="db")


def main() -> NoReturn:
    """Runs the command line and exits."""
    try:
        app()
    except CommandFailed as failure:
        Console(stderr=True).print(f"edge: {failure}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(failure.code)
    sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge {__version__}")
        raise typer.Exit


@app.callback()
def _edge(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    config: ConfigOption = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written when the server takes calls: its addresses as JSON.")
    ] = None,
) -> None:
    """Run the server: SIP, media and the admin API."""
    from edge.commands.serve import serve as run

    run(settings_of(config), ready_file)


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running until Ctrl-C.")] = False,
) -> None:
    """Place real calls on this machine, and show how each was decided."""
    from edge.demo.run import main as run

    run(keep=keep)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check configuration and environment, and say how to mend what is wrong."""
    from edge.commands.calls import console
    from edge.commands.check import report

    if not report(settings_of(config), console()):
        raise CommandFailed("the server can not work like this; see the lines marked FAIL")


@app.command()
def calls(
    *,
    caller: CallerOption = None,
    number: NumberOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 25,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the records, one JSON object a line.")
    ] = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Find calls."""
    from edge.commands.calls import console, filters, find, table
    from edge.commands.client import Api
    from edge.commands.printed import one_line

    query = filters(caller, number, since)

    async def run() -> None:
        async with Api.of(url, config) as api:
            found = await find(api, query, limit)
        if as_json:
            for call in found:
                typer.echo(one_line(call))
        else:
            console().print(table(found))

    asyncio.run(run())


@app.command()
def simulate(
    number: Annotated[str, typer.Argument(help="The number that is called (E.164).")],
    *,
    caller: Annotated[
        str | None, typer.Option("--from", help="Who calls (E.164); withheld if left out.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="When: 2026-11-22T09:00:00Z; now if left out.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag of the call, KEY=VALUE.")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="A key pressed in a menu.")] = None,
    attestation: Annotated[
        str | None, typer.Option(help="How the caller is attested (A, B, C); not at all if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell what would happen to a call, and why; places no call, changes nothing."""
    from edge.commands.client import Api
    from edge.commands.simulate import ask, names_of, question, told

    asked = question(number, caller, at, tag or [], key or [])
    if attestation is not None:
        asked["attestation"] = attestation

    async def run() -> None:
        async with Api.of(url, config) as api:
            answer = await ask(api, asked)
            lines = [json.dumps(answer)] if as_json else told(answer, await names_of(api, answer["decision"]))
            for line in lines:
                typer.echo(line)

    asyncio.run(run())


@app.command()
def doctor(
    *,
    call_id: Annotated[
        str | None, typer.Argument(help="The call's id; else the newest call that fits.")
    ] = None,
    caller: CallerOption = None,
    number: NumberOption = None,
    since: SinceOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Explain one call in plain words: decision, dials, SIP ladder, audio."""
    from edge.commands.calls import filters
    from edge.commands.client import Api
    from edge.commands.doctor import diagnose

    query = filters(caller, number, since)

    async def run() -> None:
        async with Api.of(url, config) as api:
            for line in await diagnose(api, call_id, query):
                typer.echo(line)

    asyncio.run(run())


@app.command()
def drain(
    max_s: Annotated[
        float | None, typer.Option("--max", min=0, max=86_400, help="Seconds that live calls may go on.")
    ] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Take no new calls and wait until live ones are over."""
    from edge.commands.client import Api
    from edge.commands.drain import drain as wait

    async def run() -> None:
        async with Api.of(url, config) as api:
            await wait(api, max_s)

    asyncio.run(run())


@app.command()
def export(url: UrlOption = None, config: ConfigOption = None) -> None:
    """Print the whole set-up as readable text (YAML), without secrets."""
    from edge.commands.client import Api
    from edge.commands.setup import export as run

    async def fetch() -> None:
        async with Api.of(url, config) as api:
            sys.stdout.writelines(await run(api))

    asyncio.run(fetch())


@app.command()
def diff(
    file: FileArgument, *, prune: PruneOption = False, url: UrlOption = None, config: ConfigOption = None
) -> None:
    """Tell what a set-up file would change."""
    _apply(file, url, config, prune=prune, dry_run=True)


@app.command()
def apply(
    file: FileArgument,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    prune: PruneOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Make the set-up what a file says: all of it, or nothing."""
    _apply(file, url, config, prune=prune, dry_run=dry_run)


def _apply(file: Path, url: str | None, config: Path | None, *, prune: bool, dry_run: bool) -> None:
    from edge.commands.client import Api
    from edge.commands.setup import apply as run

    async def send() -> None:
        async with Api.of(url, config) as api:
            for line in await run(api, file, prune=prune, dry_run=dry_run):
                typer.echo(line)

    asyncio.run(send())


@token.command("create")
def token_create(
    *,
    role: Annotated[str, typer.Option(help="admin, operator, report_only, publisher or buyer.")],
    name: Annotated[str, typer.Option(help="To tell it from others.")] = "",
    publisher: Annotated[str | None, typer.Option(help="The id of the publisher whose token it is.")] = None,
    buyer: Annotated[str | None, typer.Option(help="The id of the buyer whose token it is.")] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Print a new API token, once.  Without a running server it goes straight into the database."""
    from edge.commands.token import Owner, create

    typer.echo(asyncio.run(create(role, name, url, config, Owner(publisher, buyer))))


@database.command("upgrade")
def db_upgrade(config: ConfigOption = None) -> None:
    """Bring the database to this version's schema, keeping a copy of it."""
    from edge.commands.db import upgrade

    typer.echo(upgrade(settings_of(config)))
