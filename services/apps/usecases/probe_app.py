"""ProbeApp: whether an app answers that another service started, and at what address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.apps.domain.changes import Change, ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import AppStateError
from services.apps.domain.probe import find_target
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Ref
from services.common.operations.model import Operation


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
        """Return one app."""

    async def find_unfinished(self, app_id: str) -> Operation | None:
        """Return the operation under way on an app."""

    async def report(self, operation_id: str, values: Mapping[str, Any], *changes: Change) -> bool:
        """Set columns of a delegated operation, with changes."""


async def probe_app(apps: LockedApps, containers: Containers, *, app_id: str, operation_id: str) -> AppAnswer:
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
    container = await find_container(containers, ref)
    address, answered, message = container.address if container else "", True, ""
    if target.port and app.port is not None:
        probe = await containers.probe_port(
            ref, owner=app.id, port=target.port, scheme=target.scheme, path=target.path
        )
        address, answered, message = probe.address or address, probe.answered, probe.message
    elif not address:
        answered, message = False, "the container has no address yet"
    # A restored container may get another address by DHCP.
    if address and address != app.address:
        await apps.report(operation_id, {}, ChangeApp(app_id, {"address": address}))
    return AppAnswer(answered, target.port, target.grace_s, message)
