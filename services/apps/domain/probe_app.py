"""ProbeApp: whether an app answers that another service started, and at what address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.apps.domain.entities import App, Change, ChangeApp
from services.apps.domain.errors import AppStateError
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Ref
from services.common.operations.view import Operation

GRACE_S = 120  # for an app whose definition names no time of its own: images unpack, databases recover


@dataclass(frozen=True)
class ProbeTarget:
    """What to ask of an app: a port, how, and for how many seconds."""

    scheme: str
    port: int
    path: str
    grace_s: int


@dataclass(frozen=True)
class AppAnswer:
    """Whether an app answers; `message` says why not."""

    answered: bool
    port: int
    grace_s: int
    message: str = ""


class LockedApps(Protocol):
    """Apps that operations of other services lock."""

    async def get_app(self, app_id: str) -> App:
        """One app."""

    async def find_unfinished(self, app_id: str) -> Operation | None:
        """The operation under way on an app."""

    async def report(self, operation_id: str, values: Mapping[str, Any], *changes: Change) -> bool:
        """Set columns of an operation of another service, with changes."""


def find_target(app: App) -> ProbeTarget:
    """Return what to ask of an app; port 0 where there is nothing to ask."""
    probe = app.rendering.get("probe") or {}
    asked = int(probe.get("port") or 0)
    return ProbeTarget(
        scheme=str(probe.get("scheme") or "tcp"),
        port=asked if asked and asked != app.internal_port else int(app.port or 0),
        path=str(probe.get("path") or "/"),
        grace_s=int(probe.get("grace_s") or GRACE_S),
    )


async def probe_app(apps: LockedApps, containers: Containers, app_id: str, operation_id: str) -> AppAnswer:
    """Ask an app's port once and write down the address that its container has.

    Raises:
        AppStateError: the operation does not lock the app, or the app has no container.
    """
    app, operation = await apps.get_app(app_id), await apps.find_unfinished(app_id)
    if operation is None or operation.id != operation_id:
        raise AppStateError(f"operation {operation_id} does not lock {app_id}")
    if app.vmid is None:
        raise AppStateError(f"{app_id} has no container")
    ref, target = Ref(app.host_id, app.vmid, app.node), find_target(app)
    container = await containers.find(ref)
    address, answered, message = container.address if container else "", True, ""
    if target.port and app.port is not None:
        probe = await containers.probe(ref, app.id, port=target.port, scheme=target.scheme, path=target.path)
        address, answered, message = probe.address or address, probe.answered, probe.message
    elif not address:
        answered, message = False, "the container has no address yet"
    if address and address != app.address:
        await apps.report(operation_id, {}, ChangeApp(app_id, {"address": address}))
    return AppAnswer(answered, target.port, target.grace_s, message)
