"""``GET /t/{campaign_id}.js``: how the snippet travels. Compressed once, cached by browsers and proxies."""

import re
from typing import Final

from aiohttp import web

from edge.snippet.script import Script

PATH: Final = "/t/{campaign_id:[A-Za-z0-9_-]{1,64}}.js"
# How long a browser may run an old script after an update; one that is asked for by ?v= and its present
# version never changes.
_FRESH: Final = "public, max-age=300"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


def served(request: web.Request, script: Script) -> web.Response:
    """The script as an answer: whole, compressed, or 304 for who has it."""
    headers = {
        "ETag": f'"{script.version}"',
        "Cache-Control": _FOR_EVER if request.query.get("v") == script.version else _FRESH,
        "Vary": "Accept-Encoding",
        # For pages that are isolated (COEP), and for those that check the script's integrity.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    if any(tag.value in {script.version, "*"} for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    gzipped = _GZIP.search(request.headers.get("Accept-Encoding", "")) is not None
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    return web.Response(
        body=script.gzipped if gzipped else script.body,
        content_type="text/javascript",
        charset="utf-8",
        headers=headers,
    )
