"""The snippet's text for a campaign, and the line that operators paste (docs/snippet.md)."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from importlib.resources import files

from edge.snippet.squeeze import squeeze

# What keeps page optimisers from moving, joining or delaying the script: Cloudflare's Rocket Loader (which
# looks ahead of src only), LiteSpeed, Autoptimize, WP Rocket, PageSpeed.
KEEP = (
    'data-cfasync="false" data-no-optimize="1" data-no-defer="1" data-no-minify="1" data-noptimize="1" '
    "data-pagespeed-no-defer nowprocket"
)


@dataclass(frozen=True, slots=True)
class Script:
    """A campaign's snippet as it is served; ``version`` changes with every byte of it."""

    body: bytes
    gzipped: bytes
    version: str


def install_line(public_url: str, campaign_id: str) -> str:
    """The line for the head of a page; ``public_url`` is the server as browsers reach it."""
    address = escape(f"{public_url}/t/{campaign_id}.js")
    return f'<script async {KEEP} src="{address}"></script>'


@lru_cache(maxsize=1024)
def script(campaign_id: str, public_url: str) -> Script:
    """The snippet of a campaign; both arguments are escaped, whatever they hold."""
    whole = (
        _template().replace("'CAMPAIGN_ID'", _literal(campaign_id)).replace("'HOST'", _literal(public_url))
    )
    body = whole.encode()
    return Script(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:16])


@cache
def _template() -> str:
    source = files("edge.snippet").joinpath("page.js").read_text(encoding="utf-8")
    return squeeze(source)


def _literal(text: str) -> str:
    """A JavaScript string that can not end the script either, wherever the script is put."""
    quoted = json.dumps(text)
    for char in "<>&'":
        quoted = quoted.replace(char, f"\\u{ord(char):04x}")
    return quoted
