"""``/api/docs``: the OpenAPI document as one page of plain HTML, with no script and no other host."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
h2{margin-top:2.5rem;border-bottom:1px solid #d0d7de}
details{border:1px solid #d0d7de;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.5rem;font-family:ui-monospace,monospace}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{background:#f6f8fa;padding:.7rem;overflow:auto;border-radius:6px}
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def page(document: Mapping[str, Any]) -> str:
    """The page; everything shown comes from the document."""
    return "".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    title = f"{document['info']['title']} {document['info']['version']} API"
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    yield f"<h1>{escape(title)}</h1><p>{escape(document['info']['description'])}</p>"
    yield '<p>The same as a document: <a href="/api/v1/openapi.json">openapi.json</a></p>'
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>"
        yield from _operations(document, tag["name"])
    yield "<h2>Schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary>{escape(name)}</summary>'
        yield f"<p>{escape(schema.get('description', ''))}</p>{_json(schema)}</details>"


def _operations(document: Mapping[str, Any], tag: str) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if tag in operation["tags"]:
                yield from _operation(method, path, operation)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
    yield f"{escape(operation['summary'])}</summary><p>{escape(operation['description'])}</p>"
    if operation["parameters"]:
        rows = (_parameter(p) for p in operation["parameters"])
        yield f"<table><tr><th>parameter<th>in<th>schema</tr>{''.join(rows)}</table>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body <code>{escape(kind)}</code></p>{_json(content['schema'])}"
    for status, answer in operation["responses"].items():
        yield f"<p><b>{escape(status)}</b> {escape(answer['description'])}"
        yield f" {_schemas(answer.get('content', {}))}</p>"
    yield "</details>"


def _parameter(parameter: Mapping[str, Any]) -> str:
    name = escape(parameter["name"]) + (" (required)" if parameter["required"] else "")
    schema = escape(json.dumps(parameter["schema"]))
    return f"<tr><td><code>{name}</code><td>{parameter['in']}<td><code>{schema}</code></tr>"


def _schemas(content: Mapping[str, Any]) -> str:
    found = (json.dumps(body["schema"]) for body in content.values())
    return " ".join(f"<code>{escape(text)}</code>" for text in found)


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"
