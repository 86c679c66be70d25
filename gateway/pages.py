"""The documentation pages, the page of one-time links and their assets, served by Envoy itself from `static/`: nothing comes from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from gateway.openapi import render_openapi
from gateway.settings import GatewaySettings
from gateway.surface import Surface

OPENAPI = "/api/openapi.json"
_SELF = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; script-src 'self'"
# Both pages style elements from scripts, hence unsafe-inline for styles. ReDoc searches in a worker made from a blob.
DOCS_POLICY = f"{_SELF}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
REDOC_POLICY = f"{DOCS_POLICY}; worker-src blob:; font-src data:"


@dataclass(frozen=True)
class Page:
    """A file of `static/` and the path where it is read."""

    path: str
    file: str
    kind: str
    policy: str = "default-src 'none'; frame-ancestors 'none'"


_HTML, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
FILES = (
    Page("/api/docs", "docs.html", _HTML, DOCS_POLICY),
    Page("/api/docs/docs.js", "docs.js", _SCRIPT),
    Page("/api/docs/swagger-ui-bundle.js", "swagger-ui-bundle.js", _SCRIPT),
    Page("/api/docs/swagger-ui.css", "swagger-ui.css", "text/css; charset=utf-8"),
    Page("/api/docs/favicon.png", "favicon.png", "image/png"),
    Page("/api/redoc", "redoc.html", _HTML, REDOC_POLICY),
    Page("/api/redoc/redoc.js", "redoc.js", _SCRIPT),
    Page("/api/redoc/redoc.standalone.js", "redoc.standalone.js", _SCRIPT),
    Page("/api/auth/redeem", "redeem.html", _HTML, DOCS_POLICY),  # auth makes links to it
    Page("/api/auth/redeem/redeem.js", "redeem.js", _SCRIPT),
)
PATHS = (OPENAPI, *(page.path for page in FILES))


def render_page_routes(surface: Surface, settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the routes of the pages, each with and without a trailing slash."""
    document = json.dumps(render_openapi(surface), separators=(",", ":"))
    return [
        _render_route(OPENAPI, {"inline_string": document}, {"content-type": "application/json"}),
        *(
            _render_route(
                page.path,
                {"filename": str((settings.static_dir / page.file).resolve())},
                {"content-type": page.kind, "content-security-policy": page.policy},
            )
            for page in FILES
        ),
    ]


def _render_route(path: str, body: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
    headers = headers | {"cache-control": "public, max-age=300"}
    return {
        # One route for both spellings: Envoy has a copy of the body in memory for each route.
        "match": {"safe_regex": {"regex": f"{re.escape(path)}/?"}},
        "direct_response": {"status": 200, "body": body},
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }
