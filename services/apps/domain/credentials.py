"""First credentials of an app: what its catalog item writes, with the app's own values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from services.apps.domain.entities import App
from services.clients.catalog.values import ItemCredentials
from services.common.core.text import MASK

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?[-+?][^{}]*)?\}|([A-Za-z_]\w*))")


@dataclass(frozen=True, kw_only=True)
class AppCredentials:
    """First credentials as they may be shown; `names` are the names of the values in them."""

    username: str
    password: str
    change: str
    names: tuple[str, ...]


def find_credentials(app: App) -> AppCredentials | None:
    """Return the first credentials of an app with its values, secret ones masked; None where its item names none."""
    written = app.rendering.credentials
    if written is None or written == ItemCredentials():
        return None
    shown = app.visible_environment
    names = dict.fromkeys([*_list_names(written.username), *_list_names(written.password)])
    return AppCredentials(
        username=_resolve(written.username, lambda name: shown.get(name, "")),
        password=_resolve(written.password, lambda name: MASK if app.given.get(name) else ""),
        change=_resolve(written.change, lambda name: shown.get(name, "")),
        names=tuple(name for name in names if name in app.given),
    )


def _list_names(text: str) -> list[str]:
    return [match[1] or match[2] for match in _VARIABLE.finditer(text)]


def _resolve(text: str, find: Callable[[str], str]) -> str:
    return _VARIABLE.sub(lambda match: find(match[1] or match[2]), text)
