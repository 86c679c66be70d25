"""Compare apps with the containers of the hosts that answer. Nothing is ever deleted here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.apps.domain.entities import AddLog, App, ChangeApp
from services.apps.domain.interfaces import Container, Containers
from services.apps.domain.usecases import AppStore
from services.common.clock import now


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A difference that was found."""

    type: str
    app_id: str = ""
    host_id: int
    vmid: int
    message: str
    healed: bool = False


@dataclass(frozen=True)
class Reconciled:
    """How it went."""

    checked: int
    findings: tuple[Finding, ...]
    skipped: tuple[int, ...]


class Reconciler:
    """Compares; an app counts as missing only after two complete scans of a host that answered."""

    def __init__(self, store: AppStore, containers: Containers) -> None:
        self._store = store
        self._containers = containers

    async def reconcile(self, host_id: int | None = None) -> Reconciled:
        """Compare every stable app now. A host that does not answer proves nothing and is left out."""
        before = await self._store.list_all_apps(host_id=host_id)
        scan = await self._containers.scan(host_id)
        second = await self._containers.scan(host_id)
        complete = scan.complete & second.complete
        seen = {(item.host_id, item.vmid): item for item in (*scan.containers, *second.containers)}
        findings: list[Finding] = []
        checked = 0
        for app in before:
            if app.is_stable and app.vmid is not None and app.host_id in complete:
                checked += 1
                findings.extend(await self._compare(app, seen))
        known = {app.id for app in await self._store.list_all_apps(host_id=host_id)}
        findings.extend(_orphan(item) for item in seen.values() if item.owner and item.owner not in known)
        return Reconciled(checked, tuple(findings), tuple(sorted({*scan.skipped, *second.skipped})))

    async def _compare(self, app: App, seen: Mapping[tuple[int, int], Container]) -> list[Finding]:
        container = seen.get((app.host_id, app.vmid or 0))
        found = find_condition(app, container)
        known = {item.type for item in app.conditions}
        if found is None:
            if known:
                await self._store.change(ChangeApp(app.id, {"conditions": []}))
            return []
        kind, message, status = found
        if kind not in known or status is not None:
            condition = {"type": kind, "message": message, "since": now().isoformat()}
            values = {"conditions": [condition], **({"status": status} if status else {})}
            fresh = await self._store.get_app(app.id)
            if fresh.updated_at != app.updated_at:
                return []
            await self._store.change(
                ChangeApp(app.id, values), AddLog(app.id, message, "warning", "reconcile")
            )
        return [
            Finding(
                type=kind,
                app_id=app.id,
                host_id=app.host_id,
                vmid=app.vmid or 0,
                message=message,
                healed=bool(status),
            )
        ]


def find_condition(app: App, container: Container | None) -> tuple[str, str, str | None] | None:
    """What is different: its type, a sentence, and the status that puts it right."""
    if container is None:
        return "missing", f"container {app.vmid} of host {app.host_id} is gone", None
    if container.owner and container.owner != app.id:
        return "drifted", f"container {app.vmid} carries the mark of {container.owner}", None
    if app.status == "running" and container.status == "stopped":
        return "stopped_outside", f"container {app.vmid} was stopped outside the platform", "stopped"
    if app.status == "stopped" and container.status == "running":
        return "started_outside", f"container {app.vmid} was started outside the platform", "running"
    if container.node != app.node:
        return "drifted", f"container {app.vmid} is on {container.node}, not {app.node}", None
    return None


def _orphan(item: Container) -> Finding:
    message = f"container {item.vmid} carries the mark of {item.owner}, which is no app"
    return Finding(type="orphan", host_id=item.host_id, vmid=item.vmid, message=message)
