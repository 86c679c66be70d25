"""Marks of containers: an app's own mark, and the mark of the container that has its volumes during an image exchange."""

from __future__ import annotations

from typing import Protocol

from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError, ContainerUnmanagedError
from services.clients.inventory.values import Container

# The beginning of the error of an imported app, in all releases.
NOT_TAKEN_OVER = "its container was not taken over"
UNMANAGED = "unmanaged"  # the condition of an app whose container does not carry its mark
_KEEPER = "volumes."
_LONGEST = 90  # characters of an app's id in a mark: with the prefix it fits the column of reservations


class AppReader(Protocol):
    """Reads of single apps."""

    async def get_app(self, app_id: str) -> App:
        """One app."""


def name_keeper(app_id: str) -> str:
    """Name the mark of the container that has an app's volumes while its image is exchanged."""
    return f"{_KEEPER}{app_id[-_LONGEST:]}"


def list_marks(app: App) -> tuple[str, ...]:
    """List the marks that containers of an app carry; that of the volume container only during an operation."""
    return (app.id,) if app.is_stable else (app.id, name_keeper(app.id))


def is_recognisable(app: App, container: Container) -> bool:
    """Whether a container without the app's mark looks like the app's: its description names it, or its name fits."""
    return container.named_owner == app.id or container.name in {app.hostname, app.name}


def has_failed_take_over(app: App) -> bool:
    """Whether an app came from another system and its container could not be marked."""
    return app.adopted and app.status == "error" and app.error.startswith(NOT_TAKEN_OVER)


def describe_unmanaged(app: App, container: Container) -> str:
    """Describe the container that has an app's VMID and does not carry its mark, with the remedies."""
    place = f"container {container.vmid} of host {container.host_id}"
    if container.owner:
        return f"{place} carries the mark of {container.owner}, not of {app.id}; its figures are not shown"
    name = f" (it is named {container.name})" if container.name not in {"", app.hostname} else ""
    return (
        f"{place} does not carry the app's mark{name}: it is left alone and its figures are not shown. If it is the "
        f"app's, an administrator can put the mark on again with POST /api/apps/{app.id}/mark; if not, delete the app, "
        "which leaves it"
    )


def require_managed(app: App) -> None:
    """Refuse to work on an app whose container does not carry its mark, as reconciliation saw.

    Raises:
        ContainerUnmanagedError: with the remedy.
    """
    for condition in app.conditions:
        if condition.type == UNMANAGED:
            raise ContainerUnmanagedError(condition.message)


def describe_orphan(vmid: int, mark: str) -> str:
    """Describe a container with a mark that is no app's."""
    if mark.startswith(_KEEPER):
        return f"container {vmid} was left by an update of {mark.removeprefix(_KEEPER)}, and may hold its volumes"
    return (
        f"container {vmid} carries the mark of {mark}, which is no app; if it was restored or copied in Proxmox, it can "
        "be adopted"
    )


def describe_duplicate(vmid: int, app: App) -> str:
    """Describe a container that carries the mark of an app and is not its container."""
    own = "has none" if app.vmid is None else f"has {app.vmid} of host {app.host_id}"
    return (
        f"container {vmid} carries the mark of {app.id}, which {own}; look into both, then destroy this one with "
        "POST /api/apps/duplicates/destroy, or take its mark off in Proxmox"
    )


async def find_holder(apps: AppReader, mark: str) -> str:
    """Return the id of the app whose container carries a mark; empty when it is nobody's."""
    # The mark of a volume container contains the id of its app.
    for app_id in {mark, mark.removeprefix(_KEEPER)}:
        try:
            app = await apps.get_app(app_id)
        except AppNotFoundError:
            continue
        if mark in list_marks(app):
            return app.id
    return ""
