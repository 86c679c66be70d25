"""Apps of earlier releases, whose definitions hold their values in clear: references take the place of the values.

The release before reads what this one writes: it puts every value into the `.env` file.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from services.apps.domain.entities import App
from services.apps.domain.records import render_again
from services.clients.catalog.interface import Catalog
from services.common.core.errors import DomainError, UnavailableError
from services.common.core.text import name_reference

_PAGE = 50  # apps read at once, with their definitions
# Characters: shorter values stand in too many words, and are replaced only where they are a whole text.
_SHORTEST = 6
_LITERAL = frozenset(
    {"image", "ports", "volumes", "networks", "depends_on", "name"}
)  # read by others than Compose


class StoredApps(Protocol):
    """Apps as they are stored."""

    async def list_apps_after(self, app_id: str, *, limit: int) -> Sequence[App]:
        """Apps in the order of their ids, from behind one."""

    async def replace_record(self, app: App, values: Mapping[str, Any]) -> bool:
        """Set columns of an app; False when it has changed since, or an operation is under way."""


@dataclass(frozen=True)
class _Reference:
    name: str


async def remove_stored_values(store: StoredApps, catalog: Catalog) -> int:
    """Replace values by references in every definition that holds some; return how many.

    What is secret the catalog decides; everything is where it does not know the revision any more.

    Raises:
        UnavailableError: the catalog does not answer; what was replaced stays so.
    """
    count, last = 0, ""
    while page := await store.list_apps_after(last, limit=_PAGE):
        last = page[-1].id
        for app in page:
            if app.is_stable and not app.adopted and not app.rendering.is_without_values:
                count += await store.replace_record(app, await _describe_app(app, catalog))
    return count


async def _describe_app(app: App, catalog: Catalog) -> dict[str, Any]:
    text = app.rendering.compose
    compose = await asyncio.to_thread(replace_values, text, app.given) if text else text
    record = dataclasses.replace(app.rendering, compose=compose)
    secret = {*app.secret_names, *app.environment}
    try:
        rendering = await render_again(catalog, app, values=app.given, revision=app.revision, secret={})
    except UnavailableError:
        raise
    except DomainError:
        rendering = None
    if rendering is not None:
        secret = {*app.secret_names, *rendering.secret_names}
        record = dataclasses.replace(record, credentials=rendering.credentials)
    return {"secret_names": sorted(secret), "rendering": record.mark_without_values()}


def replace_values(compose: str, values: Mapping[str, str]) -> str:
    """Return a definition with references in place of values; Compose reads it as the same."""
    document: Any = yaml.safe_load(compose)
    # A value may contain another one; the longer one is replaced first.
    longest_first = sorted(values.items(), key=lambda pair: len(pair[1]), reverse=True)
    for service in (document.get("services") or {}).values():
        for key in service.keys() - _LITERAL:
            service[key] = _replace(service[key], longest_first, key=key)
    if "configs" in document:
        document["configs"] = _replace(document["configs"], longest_first, key="configs")
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _replace(tree: Any, values: Sequence[tuple[str, str]], *, key: str) -> Any:
    if isinstance(tree, str):
        return _replace_text(tree, values, key=key)
    if isinstance(tree, dict):
        return {name: _replace(child, values, key=str(name)) for name, child in tree.items()}
    if isinstance(tree, list):
        return [_replace(child, values, key=key) for child in tree]
    return tree


def _replace_text(text: str, values: Sequence[tuple[str, str]], *, key: str) -> str:
    name, equals, value = text.partition("=")
    if key == "environment" and equals and (name, value.replace("$$", "$")) in values:
        return f"{name}=${{{name_reference(name)}}}"
    plain = text.replace("$$", "$")
    if plain and (key, plain) in values:
        return f"${{{name_reference(key)}}}"
    parts: list[str | _Reference] = _split(text)
    for name, value in values:
        if value and (plain == value or len(value) >= _SHORTEST):
            parts = [piece for part in parts for piece in _cut(part, name, value=value)]
    return "".join(
        f"${{{part.name}}}" if isinstance(part, _Reference) else part.replace("$", "$$") for part in parts
    )


def _split(text: str) -> list[str | _Reference]:
    """The text with its dollars unescaped, and the references that it has already."""
    parts: list[str | _Reference] = []
    position, literal = 0, ""
    while position < len(text):
        if text.startswith("$$", position):
            literal, position = literal + "$", position + 2
        elif text.startswith("${", position) and (end := text.find("}", position)) > 0:
            parts += [literal, _Reference(text[position + 2 : end])]
            literal, position = "", end + 1
        else:
            literal, position = literal + text[position], position + 1
    return [*parts, literal]


def _cut(part: str | _Reference, name: str, *, value: str) -> list[str | _Reference]:
    if isinstance(part, _Reference) or value not in part:
        return [part]
    pieces: list[str | _Reference] = []
    for piece in part.split(value):
        pieces += [_Reference(name_reference(name)), piece]
    return pieces[1:]
