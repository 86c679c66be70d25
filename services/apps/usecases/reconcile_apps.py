"""ReconcileApps: compare apps with the containers of the hosts that answer. Nothing is ever deleted here.

A missing container and a container of nobody count only after two complete scans by two runs; the state of a container
counts at once. A missing mark counts when the container itself was read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.apps.domain.changes import AddLog, ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.interfaces import AppStore
from services.apps.domain.marks import (
    UNMANAGED,
    describe_duplicate,
    describe_orphan,
    describe_unmanaged,
    list_marks,
)
from services.apps.domain.sightings import CERTAIN, Seen, Sighting
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.take_over import may_take_over, repeat_take_over
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref
from services.common.core.clock import now
from services.common.core.errors import DomainError


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A difference that was found.

    Attributes:
        healed: it was put right.
        since: when it was first seen.
        app_id: the app; of a duplicate, the one whose mark it carries.
        destroyable_at: of an orphan or duplicate, from when on it may be destroyed.
    """

    type: str
    app_id: str = ""
    host_id: int
    vmid: int
    message: str
    healed: bool = False
    since: datetime | None = None
    destroyable_at: datetime | None = None


@dataclass(frozen=True)
class Difference:
    """Difference between an app and its container.

    Attributes:
        type: of the condition that the app gets.
        message: for a person.
        values: columns of the app that change with it.
        healed: they put it right.
    """

    type: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    healed: bool = False


@dataclass(frozen=True)
class Reconciled:
    """Result of a run."""

    checked: int
    findings: tuple[Finding, ...]
    skipped: tuple[int, ...]


async def reconcile_apps(
    dependencies: AppDependencies, *, host_id: int | None = None, look_again: bool = False
) -> Reconciled:
    """Compare every stable app, of one host or of all, with its container, and record what differs.

    See `Reconciler.reconcile`.
    """
    reconciler = Reconciler(dependencies.store, dependencies.containers, grace=dependencies.orphan_grace)
    return await reconciler.reconcile(host_id, look_again=look_again)


class Reconciler:
    """Comparison of apps and containers; `grace` is how long orphans must have been seen before they may be destroyed."""

    def __init__(
        self, store: AppStore, containers: Containers, *, grace: timedelta = timedelta(days=1)
    ) -> None:
        self._store = store
        self._containers = containers
        self.grace = grace

    async def reconcile(self, host_id: int | None = None, *, look_again: bool = False) -> Reconciled:
        """Compare every stable app now. A host that does not answer proves nothing and is left out.

        Args:
            host_id: of one host; None: of all.
            look_again: scan a second time where containers are missing, so that the caller gets certain findings.
        """
        result = await self._compare_all(host_id)
        if look_again and any(finding.type == "missing" for finding in result.findings):
            result = await self._compare_all(host_id)
        return result

    async def _compare_all(self, host_id: int | None) -> Reconciled:
        # Read before and after the scan: apps change meanwhile, and only what both lists say is certain.
        before = await self._store.list_all_apps()  # a container may carry the mark of an app of another host
        scan = await self._containers.list_containers(host_id)
        there = {(item.host_id, item.vmid): item for item in scan.containers}
        compared = [
            app
            for app in before
            if app.is_stable and app.vmid is not None and is_visible(app, there, complete=scan.complete)
        ]
        after = await self._store.list_all_apps()
        ours = {"", *(mark for app in (*before, *after) for mark in list_marks(app))}
        orphans = [
            Seen("orphan", item.host_id, item.vmid, item.owner)
            for item in there.values()
            if item.owner not in ours
        ]
        doubled = find_duplicates(scan.containers, before, after=after)
        duplicates = {Seen("duplicate", item.host_id, item.vmid, app.id): app for item, app in doubled}
        missing = [
            Seen("missing", app.host_id, app.vmid or 0, app.id)
            for app in compared
            if (app.host_id, app.vmid) not in there
        ]
        sightings = await self._store.note_sightings(
            [*orphans, *duplicates, *missing], complete=scan.complete
        )
        # Keyed by app, which has one container at most.
        lacking = {one.seen.subject: one for one in sightings.values() if one.seen.kind == "missing"}
        findings = [
            finding
            for app in compared
            if (finding := await self._compare(app, there, lacking=lacking.get(app.id))) is not None
        ]
        findings.extend(self._report(sightings[seen], None) for seen in orphans)
        findings.extend(self._report(sightings[seen], app) for seen, app in duplicates.items())
        return Reconciled(len(compared), tuple(findings), tuple(sorted(scan.skipped)))

    def _report(self, one: Sighting, app: App | None) -> Finding:
        """An orphan, or the duplicate of an app."""
        kind, host_id, vmid, mark = one.seen
        return Finding(
            type=kind,
            app_id=app.id if app else "",
            host_id=host_id,
            vmid=vmid,
            message=describe_duplicate(vmid, app) if app else describe_orphan(vmid, mark),
            since=one.first_seen_at,
            destroyable_at=one.find_destroyable(self.grace),
        )

    async def _compare(
        self, app: App, there: Mapping[tuple[int, int], Container], *, lacking: Sighting | None
    ) -> Finding | None:
        container = there.get((app.host_id, app.vmid or 0))
        found = await self._find_difference(app, container)
        if container and (healed := await self._take_over(app, container, found=found)):
            return healed
        known = {item.type: item for item in app.conditions}
        if found is None:
            if known:
                await self._clear(app, was_unmanaged=UNMANAGED in known)
            return None
        since = lacking.first_seen_at if lacking else now()
        is_certain = lacking is None or lacking.scans >= CERTAIN
        if is_certain and (found.type not in known or found.healed):
            condition = {"type": found.type, "message": found.message, "since": since.isoformat()}
            # An operation may have changed the app during the scan; the next run compares it.
            if not await self._is_as_before(app):
                return None
            await self._store.change(
                ChangeApp(app.id, {"conditions": [condition], **found.values}),
                AddLog(app.id, found.message, "warning", "reconcile"),
            )
        return Finding(
            type=found.type,
            app_id=app.id,
            host_id=app.host_id,
            vmid=app.vmid or 0,
            message=found.message,
            healed=found.healed,
            since=known[found.type].since if found.type in known else since,
        )

    async def _find_difference(self, app: App, container: Container | None) -> Difference | None:
        """Return the difference; a missing mark counts only when the container itself was read again."""
        found = find_difference(app, container)
        if found is None or found.type != UNMANAGED:
            return found
        try:
            container = await find_container(self._containers, Ref(app.host_id, app.vmid or 0, app.node))
        except DomainError:
            return None  # its node does not answer, which proves nothing
        return None if container is None else find_difference(app, container)

    async def _take_over(self, app: App, container: Container, *, found: Difference | None) -> Finding | None:
        """Take over the container of an imported app whose take-over failed, as soon as nothing hinders it."""
        if (found is not None and found.type != UNMANAGED) or not may_take_over(app, container):
            return None
        if not await self._is_as_before(app):
            return None
        if not await repeat_take_over(self._store, self._containers, app=app, container=container):
            return None
        return Finding(
            type=UNMANAGED,
            app_id=app.id,
            host_id=app.host_id,
            vmid=container.vmid,
            message=f"container {container.vmid} was taken over after a failed attempt",
            healed=True,
            since=now(),
        )

    async def _clear(self, app: App, *, was_unmanaged: bool) -> None:
        """Remove an app's conditions; with its mark, a container gets its address back."""
        values: dict[str, Any] = {"conditions": []}
        if was_unmanaged:
            try:
                container = await find_container(self._containers, Ref(app.host_id, app.vmid or 0, app.node))
            except DomainError:
                return  # the next run clears it
            values["address"] = container.address if container else ""
        if await self._is_as_before(app):
            await self._store.change(ChangeApp(app.id, values))

    async def _is_as_before(self, app: App) -> bool:
        """Whether nothing happened to an app since it was compared."""
        try:
            return (await self._store.get_app(app.id)).updated_at == app.updated_at
        except AppNotFoundError:
            return False


def find_duplicates(
    containers: Iterable[Container], before: Sequence[App], *, after: Sequence[App]
) -> list[tuple[Container, App]]:
    """Containers that carry the mark of an app and are not its container, neither before nor after the scan.

    An app that is worked on may be about to take such a container over, and is looked at when it is stable again. Of a
    server that is registered twice, each container is scanned twice: the second is the app's own.
    """
    places = {(app.host_id, app.vmid) for app in (*before, *after)}
    own = {app.id: (app.vmid, app.node) for app in (*before, *after)}
    stable = {app.id: app for app in after if app.is_stable}
    settled = {app.id for app in before if app.is_stable}
    return [
        (item, stable[item.owner])
        for item in containers
        if item.owner in stable
        and item.owner in settled
        and (item.host_id, item.vmid) not in places
        and (item.vmid, item.node) != own[item.owner]
    ]


def is_visible(app: App, there: Mapping[tuple[int, int], Container], *, complete: Collection[int]) -> bool:
    """Whether a scan says how an app's container is: its host answered, or the node that the container is on now did."""
    if app.host_id in complete:
        return True
    container = there.get((app.host_id, app.vmid or 0))
    return container is not None and container.owner == app.id and container.status in {"running", "stopped"}


def find_difference(app: App, container: Container | None) -> Difference | None:
    """Return the difference between an app and its container, with the values that correct it."""
    if container is None:
        return Difference("missing", f"container {app.vmid} of host {app.host_id} is gone")
    if container.owner != app.id:
        if container.bare or container.lock == "create":
            return None  # it is being created or restored, and carries no marks until that has ended
        return Difference(UNMANAGED, describe_unmanaged(app, container), {"address": ""})
    if app.status == "running" and container.status == "stopped":
        message = f"container {app.vmid} was stopped outside the platform"
        return Difference(
            "stopped_outside", message, {"status": "stopped", "node": container.node}, healed=True
        )
    if app.status == "stopped" and container.status == "running":
        message = f"container {app.vmid} was started outside the platform"
        return Difference(
            "started_outside", message, {"status": "running", "node": container.node}, healed=True
        )
    if container.node != app.node:
        message = f"container {app.vmid} was moved from {app.node} to {container.node} outside the platform"
        return Difference("drifted", message, {"node": container.node}, healed=True)
    return None
