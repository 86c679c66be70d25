"""The store of apps: reading, and what writes in a transaction of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.apps.domain.changes import Change
from services.apps.domain.entities import STABLE, App, Departure, NewAppOperation, Upgrade
from services.apps.domain.errors import AppNotFoundError, ContainerManagedError, refuse_hostname
from services.apps.domain.sightings import Seen, Sighting
from services.apps.store.changes import AppChanges, operation_queue
from services.apps.store.departures import stop_deployments
from services.apps.store.feed import FeedRows
from services.apps.store.last_backups import LastBackupRows
from services.apps.store.lookups import AppLookups
from services.apps.store.pages import AppPages
from services.apps.store.reads import SqlAppReads
from services.apps.store.removed_apps import find_record, forget_records, list_records
from services.apps.store.rows import AppRows
from services.apps.store.sightings import find_sighting, note_sightings
from services.apps.store.summary import SummaryReads
from services.apps.store.tables import app_events, apps, operation_tables, removed_apps
from services.apps.store.upgrades import UpgradeRows
from services.apps.store.versions import find_backed_up
from services.clients.apps.errors import AppBusyError
from services.common.core.clock import now
from services.common.db.database import Database
from services.common.db.transactions import UnchangedError
from services.common.identity.keys import Sealer
from services.common.operations.model import DelegatedStep
from services.common.operations.tables import end_delegated_steps, note_delegated_step

ops = operation_tables.operations


class SqlAppStore(SqlAppReads, AppLookups, AppPages, FeedRows, LastBackupRows, SummaryReads):
    """Apps, ports, events and the operations on them.

    Args:
        notify: called, from a thread, with the id of an app that something happened to.
    """

    def __init__(
        self, db: Database, sealer: Sealer, *, notify: Callable[[str], None] = lambda _app_id: None
    ) -> None:
        rows = AppRows(sealer)
        SqlAppReads.__init__(self, db, rows)
        AppLookups.__init__(self, db)
        self._upgrades = UpgradeRows(sealer, rows)
        self._changes = AppChanges(rows, upgrades=self._upgrades, notify=notify)
        self._notify = notify
        self.apply = self._changes.apply
        self.log = self._changes.log

    async def add_app(self, app: App, begin: NewAppOperation, *, changes: Sequence[Change] = ()) -> bool:
        """Add an app, its port and its first operation, and queue it; False when its port was taken meanwhile.

        An operation that is known already is left alone: the request came twice.

        Raises:
            HostnameTakenError, ContainerManagedError: another app has it.
        """
        try:
            return await self._db.write(
                lambda connection: self._add_app(connection, app, begin=begin, changes=changes)
            )
        except sa.exc.IntegrityError as error:
            # SQLite names the columns of a unique index, PostgreSQL the index.
            if "vmid" in str(error.orig) or "apps_container" in str(error.orig):
                raise ContainerManagedError(
                    f"container {app.vmid} of host {app.host_id} is managed already"
                ) from error
            raise refuse_hostname(app.hostname) from error

    def _add_app(
        self, connection: sa.Connection, app: App, *, begin: NewAppOperation, changes: Sequence[Change]
    ) -> bool:
        added = self._changes.add_app(connection, app, begin=begin)
        if not added:
            raise UnchangedError(result=False)
        for change in changes:
            self._changes.apply(connection, change)
        return True

    async def begin(
        self,
        app_id: str,
        begin: NewAppOperation,
        *,
        values: Mapping[str, Any] | None = None,
        message: str = "",
        changes: Sequence[Change] = (),
    ) -> None:
        """Begin an operation on an app that has none under way, with changes in the same transaction.

        Raises:
            AppBusyError: another one is under way.
        """

        def fn(connection: sa.Connection) -> None:
            self._changes.begin(connection, app_id, begin=begin, values={**(values or {})}, message=message)
            for change in changes:
                self._changes.apply(connection, change)

        try:
            await self._db.write(fn)
        except sa.exc.IntegrityError as error:
            raise AppBusyError(f"another operation on {app_id} is under way", retry_after=2) from error

    async def begin_destruction(self, subject: str, begin: NewAppOperation) -> None:
        """Begin an operation on a container that is not an app's; `subject` names it, once for each operation id.

        Raises:
            AppBusyError: another one is under way.
        """
        try:
            await self._db.write(
                lambda connection: self._changes.begin_destruction(connection, subject, begin=begin)
            )
        except sa.exc.IntegrityError as error:
            raise AppBusyError(f"{subject} is being destroyed already", retry_after=2) from error

    async def note_sightings(
        self, seen: Collection[Seen], *, complete: Collection[int]
    ) -> dict[Seen, Sighting]:
        """Count each once more; what a `complete` host no longer shows is forgotten."""
        return await self._db.write(
            lambda connection: note_sightings(connection, seen, complete=complete), is_final=False
        )

    async def find_sighting(self, kind: str, host_id: int, *, vmid: int) -> Sighting | None:
        """The orphan or duplicate with an id, if the last scan saw one."""
        return await self._db.read(
            lambda connection: find_sighting(connection, kind, host_id=host_id, vmid=vmid)
        )

    async def get_upgrade(self, upgrade_id: str) -> Upgrade:
        """An upgrade that an operation named."""
        return await self._db.read(lambda connection: self._upgrades.get(connection, upgrade_id))

    async def find_upgrade(self, app_id: str) -> Upgrade | None:
        """The upgrade that an app owes its version to, if it owes it to one."""
        return await self._db.read(lambda connection: self._upgrades.find_current(connection, app_id))

    async def get_app_of_backup(self, app_id: str, made_by: str) -> App:
        """An app as it was in the backup that an operation made, also one that was removed.

        Raises:
            AppNotFoundError: there is none, and nothing is known of one that was removed.
        """
        app = await self._find_app_or_record(app_id)
        backed_up = await self._db.read(
            lambda connection: find_backed_up(connection, self._upgrades, app_id=app_id, made_by=made_by)
        )
        # Of the same revision, the app itself has the values as they are now.
        if backed_up is None or backed_up.version.revision == app.revision:
            return app
        return dataclasses.replace(app, **backed_up.version.values)

    async def _find_app_or_record(self, app_id: str) -> App:
        try:
            return await self.get_app(app_id)
        except AppNotFoundError:
            found = await self._db.read(lambda connection: find_record(connection, self._rows, app_id=app_id))
            if found is None:
                raise
            return found

    async def was_removed(self, app_id: str) -> bool:
        """Whether there is a record of a removed app of this id."""
        query = sa.select(removed_apps.c.id).where(removed_apps.c.id == app_id)
        return await self._db.read(lambda connection: connection.execute(query).first()) is not None

    async def list_removed(self, *, before: datetime, after: str, limit: int) -> list[str]:
        """List ids of removed apps with records, removed before a time, in order, after one of them."""
        return await self._db.read(
            lambda connection: list_records(connection, before=before, after=after, limit=limit)
        )

    async def forget_removed(self, app_ids: Sequence[str]) -> int:
        """Forget records of removed apps; how many there were."""
        return await self._db.write(lambda connection: forget_records(connection, app_ids), is_final=False)

    async def change(self, *changes: Change) -> None:
        """Apply changes in one transaction."""

        def fn(connection: sa.Connection) -> None:
            for change in changes:
                self._changes.apply(connection, change)

        await self._db.write(fn)

    async def replace_record(self, app: App, values: Mapping[str, Any]) -> bool:
        """Set columns of an app; False when it has changed since, or an operation is under way."""
        fields = {**self._rows.render_columns(app.id, values), "updated_at": now()}
        query = apps.update().where(
            apps.c.id == app.id, apps.c.updated_at == app.updated_at, apps.c.status.in_(STABLE)
        )
        changed = await self._db.write(lambda connection: connection.execute(query.values(**fields)).rowcount)
        return bool(changed)

    async def report(
        self,
        operation_id: str,
        values: Mapping[str, Any],
        *changes: Change,
        step: DelegatedStep | None = None,
    ) -> bool:
        """Set columns of an unfinished operation that another service carries out; False if there is none."""

        def fn(connection: sa.Connection) -> bool:
            query = ops.update().where(ops.c.id == operation_id, ops.c.delegated, ops.c.finished_at.is_(None))
            found = connection.execute(query.values(updated_at=now(), **values)).rowcount
            if found and step is not None:
                note_delegated_step(connection, operation_tables, operation_id=operation_id, step=step)
            # The end may come without a report of the last step.
            if found and "finished_at" in values:
                end_delegated_steps(
                    connection, operation_tables, operation_id=operation_id, status=str(values["status"])
                )
            for change in changes if found else ():
                self._changes.apply(connection, change)
            return bool(found)

        return await self._db.write(fn)

    async def request_cancel(self, operation_id: str) -> bool:
        """See `OperationQueue.cancel`."""
        return await operation_queue.cancel(self._db, operation_id)

    async def release_user(self, user_id: int, *, apps_to: int | None) -> Departure:
        """Stop the deployments of a user who left and hand the apps over, if somebody gets them.

        With `apps_to` deployments that run go on for the new owner; those that have not begun are stopped in any case.
        Repeating it changes nothing more.
        """

        def fn(connection: sa.Connection) -> Departure:
            stopped = stop_deployments(connection, user_id, only_queued=apps_to is not None)
            moved = 0 if apps_to is None else self._changes.hand_over(connection, user_id, to=apps_to)
            return Departure(stopped, moved)

        return await self._db.write(fn)

    async def replay(self, operation_id: str) -> bool:
        """See `OperationQueue.replay`."""
        return await operation_queue.replay(self._db, operation_id)

    async def replay_all(self) -> int:
        """See `OperationQueue.replay_all`."""
        return await operation_queue.replay_all(self._db)

    async def prune_events(self, *, before: datetime) -> int:
        """Forget events older than a time; how many there were."""
        query = app_events.delete().where(app_events.c.at < before)
        return int(await self._db.write(lambda connection: connection.execute(query).rowcount))
