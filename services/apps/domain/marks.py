"""Whose a container is, by the mark that it carries: an app's own, or that of what holds an app's volumes meanwhile."""

from __future__ import annotations

from typing import Protocol

from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError

_KEEPER = "volumes."
_LONGEST = 90  # of an app's id in a mark


class AppReader(Protocol):
    """Where apps are read."""

    async def get_app(self, app_id: str) -> App:
        """One app."""


def name_keeper(app_id: str) -> str:
    """The mark of the container that holds an app's volumes while its image is exchanged."""
    return f"{_KEEPER}{app_id[-_LONGEST:]}"


def list_marks(app: App) -> tuple[str, ...]:
    """The marks that containers of an app carry; what holds its volumes is its own only during an operation."""
    return (app.id,) if app.is_stable else (app.id, name_keeper(app.id))


def describe_orphan(vmid: int, mark: str) -> str:
    """What there is to say of a container with a mark that is no app's."""
    if mark.startswith(_KEEPER):
        return f"container {vmid} was left by an update of {mark.removeprefix(_KEEPER)}, and may hold its volumes"
    return f"container {vmid} carries the mark of {mark}, which is no app"


def describe_duplicate(vmid: int, app: App) -> str:
    """The sentence about a container that carries the mark of an app and is not its container."""
    own = "has none" if app.vmid is None else f"has {app.vmid} of host {app.host_id}"
    return (
        f"container {vmid} carries the mark of {app.id}, which {own}; look into both, then destroy this one with "
        "POST /api/apps/duplicates/destroy, or take its mark off in Proxmox"
    )


async def find_holder(apps: AppReader, mark: str) -> str:
    """The app whose container carries a mark; empty when it is nobody's."""
    for app_id in {mark, mark.removeprefix(_KEEPER)}:
        try:
            app = await apps.get_app(app_id)
        except AppNotFoundError:
            continue
        if mark in list_marks(app):
            return app.id
    return ""
