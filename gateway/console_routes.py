"""The web console, served by Envoy itself: files built from `gateway/console`, and its page at every address of a screen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.clusters import TYPE
from gateway.settings import GatewaySettings

INDEX = "/index.html"
# The templates of Svelte are the one thing that may write HTML.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)
# xterm writes style elements for its colours. The page is loaded anew for it, in a tab of its own.
TERMINAL_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
# Files in assets/ have the hash of what is in them in their names.
_FOREVER, _HOUR, _ASK = "public, max-age=31536000, immutable", "public, max-age=3600", "no-cache"
# gzip, with any weight but 0. Browsers ask for brotli over https alone.
_TAKES_GZIP = r"(.*,)?\s*gzip\s*(;\s*q\s*=\s*(1(\.0*)?|0?\.\d*[1-9]\d*)\s*)?(,.*)?"
# What is no file is a screen: a path without a dot. Ids of apps and items from a source of one's own have some.
_SCREEN = "/[^.]*|/(apps|store)/[^/]+(/[^.]*)?"
_TERMINAL = "/apps/[^/]+/terminal/?"


@dataclass(frozen=True)
class ConsoleFile:
    """A file of the built console: where it is read, its media type, and where it is stored, once packed by gzip."""

    path: str
    kind: str
    file: Path

    @property
    def cache(self) -> str:
        """How long browsers may use it without asking."""
        return _FOREVER if self.path.startswith("/assets/") else _HOUR


def list_console_files(static: Path) -> tuple[ConsoleFile, ...]:
    """Return the files that the build listed in its manifest.

    Raises:
        ValueError: the manifest or a file of it is missing.
    """
    folder = static / "console"
    try:
        listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    except OSError as error:
        raise ValueError(f"{folder}/manifest.json is missing; make console builds it") from error
    files = tuple(
        ConsoleFile(each["path"], each["kind"], folder / each["path"].lstrip("/")) for each in listed
    )
    for each in (path for file in files for path in (file.file, _get_packed(file.file))):
        if not each.is_file():
            raise ValueError(f"{each} is missing, which manifest.json lists; make console builds it")
    return files


def list_console_paths(static: Path) -> tuple[str, ...]:
    """Return the paths that are files; index.html is none, it is read at the addresses of screens."""
    return tuple(each.path for each in list_console_files(static) if each.path != INDEX)


def render_file_routes(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the routes of the console's files."""
    files = [each for each in list_console_files(settings.static_dir) if each.path != INDEX]
    return [
        route
        for each in files
        for route in _render_routes({"path": each.path}, each, settings, {"cache-control": each.cache})
    ]


def render_screen_routes(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the routes that give the console's page to every path that is no file; what is under /api comes before."""
    [index] = [each for each in list_console_files(settings.static_dir) if each.path == INDEX]
    reads = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    return [
        route
        for regex, policy in ((_TERMINAL, TERMINAL_POLICY), (_SCREEN, POLICY))
        for route in _render_routes(
            {"safe_regex": {"regex": regex}, "headers": [reads]},
            index,
            settings,
            {"cache-control": _ASK, "content-security-policy": policy},
        )
    ]


def _get_packed(file: Path) -> Path:
    return file.with_name(f"{file.name}.gz")


def _render_routes(
    match: dict[str, Any], file: ConsoleFile, settings: GatewaySettings, headers: dict[str, str]
) -> list[dict[str, Any]]:
    """The packed file to who takes gzip, the file itself to others."""
    takes = {"name": "accept-encoding", "string_match": {"safe_regex": {"regex": _TAKES_GZIP}}}
    packed = match | {"headers": [*match.get("headers", []), takes]}
    headers = headers | {"content-type": file.kind, "vary": "accept-encoding"}
    return [
        _render_route(packed, _get_packed(file.file), settings, headers | {"content-encoding": "gzip"}),
        _render_route(match, file.file, settings, headers),
    ]


def _render_route(
    match: dict[str, Any], file: Path, settings: GatewaySettings, headers: dict[str, str]
) -> dict[str, Any]:
    route: dict[str, Any] = {
        "match": match,
        "direct_response": {"status": 200, "body": {"filename": str(file.resolve())}},
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }
    if settings.requests_per_second:
        # One opening of the console is a dozen files, which cost nothing; behind a proxy many share an address.
        off = {"@type": f"{TYPE}.config.route.v3.FilterConfig", "disabled": True}
        route["typed_per_filter_config"] = {"envoy.filters.http.local_ratelimit": off}
    return route
