"""``edge check``: what would keep the server from working, and how to mend it."""

from collections.abc import Iterator

from rich.console import Console

from edge.commands import network_checks, peer_checks, storage_checks, tls_checks
from edge.commands.finding import Finding
from edge.settings import Settings

_MARKS = {"ok": "ok   ", "warn": "warn ", "fail": "FAIL "}


def findings(settings: Settings) -> Iterator[Finding]:
    """Every check's findings, in the order in which a start would meet them."""
    running = storage_checks.server_runs(settings)
    yield from storage_checks.data_dir(settings)
    yield from storage_checks.database(settings)
    yield from network_checks.listeners(settings, running)
    yield from tls_checks.certificates(settings)
    yield from network_checks.media_ports(settings, running)
    yield from network_checks.advertised(settings)
    yield from network_checks.public_url(settings)
    yield from peer_checks.peers(settings)
    yield from storage_checks.prompts(settings)


def report(settings: Settings, output: Console) -> bool:
    """Prints the findings as they come; answers whether the server can work."""
    works = True
    for finding in findings(settings):
        works = works and finding.level != "fail"
        output.print(f"{_MARKS[finding.level]} {finding.text}", markup=False, highlight=False, soft_wrap=True)
        if finding.remedy:
            output.print(f"      → {finding.remedy}", markup=False, highlight=False, soft_wrap=True)
    return works
