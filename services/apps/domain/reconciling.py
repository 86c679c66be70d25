"""Compare apps with the containers of the hosts that answer. Nothing is ever deleted here.

What is not there, or is there and nobody's, counts only after two complete scans by two runs; what a container says of
itself counts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.apps.domain.entities import AddLog, App, ChangeApp
from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.interfaces import Container, Containers
from services.apps.domain.marks import describe_duplicate, describe_orphan, list_marks
from services.apps.domain.sightings import CERTAIN, Seen, Sighting
from services.apps.domain.usecases import AppStore
from services.common.core.clock import now


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
class Reconciled:
    """How it went."""

    checked: int
    findings: tuple[Finding, ...]
    skipped: tuple[int, ...]


class Reconciler:
    """Compares; `grace` is how long orphans must have been seen before they may be destroyed."""

    def __init__(self, store: AppStore, containers: Containers, grace: timedelta = timedelta(days=1)) -> None:
        self._store = store
        self._containers = containers
        self.grace = grace

    async def reconcile(self, host_id: int | None = None, *, look_again: bool = False) -> Reconciled:
        """Compare every stable app now. A host that does not answer proves nothing and is left out.

        Args:
            host_id: of one host; None: of all.
            look_again: who waits for the answer is not left with what one scan suspects: where containers are
                missing, a second scan follows.
        """
        result = await self._compare_all(host_id)
        if look_again and any(finding.type == "missing" for finding in result.findings):
            result = await self._compare_all(host_id)
        return result

    async def _compare_all(self, host_id: int | None) -> Reconciled:
        before = await self._store.list_all_apps()  # a container may carry the mark of an app of another host
        scan = await self._containers.scan(host_id)
        there = {(item.host_id, item.vmid): item for item in scan.containers}
        compared = [
            app for app in before if app.is_stable and app.vmid is not None and app.host_id in scan.complete
        ]
        after = await self._store.list_all_apps()
        ours = {"", *(mark for app in (*before, *after) for mark in list_marks(app))}
        orphans = [
            Seen("orphan", item.host_id, item.vmid, item.owner)
            for item in there.values()
            if item.owner not in ours
        ]
        doubled = find_duplicates(scan.containers, before, after)
        duplicates = {Seen("duplicate", item.host_id, item.vmid, app.id): app for item, app in doubled}
        missing = [
            Seen("missing", app.host_id, app.vmid or 0, app.id)
            for app in compared
            if (app.host_id, app.vmid) not in there
        ]
        sightings = await self._store.note_sightings(
            [*orphans, *duplicates, *missing], complete=scan.complete
        )
        lacking = {one.seen.subject: one for one in sightings.values() if one.seen.kind == "missing"}
        findings = [
            finding
            for app in compared
            if (finding := await self._compare(app, there, lacking.get(app.id))) is not None
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
        self, app: App, there: Mapping[tuple[int, int], Container], lacking: Sighting | None
    ) -> Finding | None:
        found = find_condition(app, there.get((app.host_id, app.vmid or 0)))
        known = {item.type: item for item in app.conditions}
        if found is None:
            if known:
                await self._store.change(ChangeApp(app.id, {"conditions": []}))
            return None
        kind, message, status = found
        since = lacking.first_seen_at if lacking else now()
        is_certain = lacking is None or lacking.scans >= CERTAIN
        if is_certain and (kind not in known or status is not None):
            condition = {"type": kind, "message": message, "since": since.isoformat()}
            values = {"conditions": [condition], **({"status": status} if status else {})}
            if not await self._is_as_before(app):
                return None
            await self._store.change(
                ChangeApp(app.id, values), AddLog(app.id, message, "warning", "reconcile")
            )
        return Finding(
            type=kind,
            app_id=app.id,
            host_id=app.host_id,
            vmid=app.vmid or 0,
            message=message,
            healed=bool(status),
            since=known[kind].since if kind in known else since,
        )

    async def _is_as_before(self, app: App) -> bool:
        """Whether nothing happened to an app since it was compared."""
        try:
            return (await self._store.get_app(app.id)).updated_at == app.updated_at
        except AppNotFoundError:
            return False


def find_duplicates(
    containers: Iterable[Container], before: Sequence[App], after: Sequence[App]
) -> list[tuple[Container, App]]:
    """Containers that carry the mark of an app and are not its container, neither before nor after the scan.

    An app that is worked on may be about to take such a container over, and is looked at when it is stable again.
    """
    places = {(app.host_id, app.vmid) for app in (*before, *after)}
    stable = {app.id: app for app in after if app.is_stable}
    settled = {app.id for app in before if app.is_stable}
    return [
        (item, stable[item.owner])
        for item in containers
        if item.owner in stable and item.owner in settled and (item.host_id, item.vmid) not in places
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
