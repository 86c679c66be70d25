"""Changes of apps within a transaction: rows, log, operations, messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from proximity.apps.v1 import events_pb2

from services.apps.domain.changes import (
    AddLog,
    AddUpgrade,
    AnnounceDeployed,
    Change,
    ChangeApp,
    ForgetSightings,
    ForgetUpgrade,
    NoteArchive,
    RemoveApp,
    RestoreVersion,
    SwitchVersion,
)
from services.apps.domain.entities import SETTLED, STABLE, App, NewAppOperation
from services.apps.domain.quotas import check_quota
from services.apps.store.feed import add_removal
from services.apps.store.removed_apps import hand_over_records, keep_record
from services.apps.store.rows import AppRows
from services.apps.store.sightings import forget_sightings
from services.apps.store.summary import read_counted_configs
from services.apps.store.tables import app_events, apps, operation_tables, outbox, ports
from services.apps.store.upgrades import UpgradeRows
from services.apps.store.versions import restore_version
from services.clients.apps.errors import AppBusyError
from services.clients.auth.values import Quota
from services.common.core.clock import now
from services.common.db.database import insert_ignore
from services.common.messaging.outbox import add_messages, new_message
from services.common.operations.engine import OperationQueue
from services.common.operations.model import ClaimedOperation, NewOperation
from services.common.operations.store import LogLine
from services.common.operations.tables import add_operation

operation_queue = OperationQueue("apps", tables=operation_tables, outbox=outbox)
_EVENTS = "events.apps.v1"
_QUOTA_LOCK = 727_201  # namespace of the advisory locks of owners; migrations take 727_001

ops = operation_tables.operations


class AppChanges:
    """Changes of apps in the transaction of a connection.

    Args:
        rows: renders apps as rows.
        upgrades: stores the versions that apps had.
        notify: called with the id of an app that something happened to.
    """

    def __init__(self, rows: AppRows, *, upgrades: UpgradeRows, notify: Callable[[str], None]) -> None:
        self._rows = rows
        self._upgrades = upgrades
        self._notify = notify

    def apply(self, connection: sa.Connection, change: Change) -> None:
        """Apply one change of a workflow; what concerns an app that is gone does nothing."""
        match change:
            case ChangeApp(app_id, values):
                self._change_app(connection, app_id, values=values)
            case AddLog(app_id, message, level, step):
                self._add_event(connection, app_id, kind="log", message=message, level=level, step=step)
            case AnnounceDeployed(app_id):
                row = _facts(connection, app_id)
                if row is not None:
                    event = events_pb2.AppDeployed(
                        app_id=app_id, owner_id=row.owner_id, host_id=row.host_id, vmid=row.vmid or 0
                    )
                    add_messages(connection, outbox, messages=[new_message(f"{_EVENTS}.app_deployed", event)])
            case RemoveApp(app_id, delete_backups):
                self._remove(connection, app_id, delete_backups=delete_backups)
            case AddUpgrade(upgrade):
                self._upgrades.add(connection, upgrade)
            case NoteArchive(upgrade_id, archive):
                self._upgrades.note_archive(connection, upgrade_id, archive=archive)
            case SwitchVersion(upgrade_id, forward):
                self._upgrades.switch(connection, upgrade_id, forward=forward)
            case ForgetUpgrade(upgrade_id):
                self._upgrades.forget(connection, upgrade_id)
            case ForgetSightings(host_id, vmid):
                forget_sightings(connection, host_id, vmid=vmid)
            case RestoreVersion(app_id, operation_id):
                restore_version(connection, self._upgrades, app_id=app_id, operation_id=operation_id)

    def log(self, connection: sa.Connection, operation: ClaimedOperation, *, line: LogLine) -> None:
        """Write a line of an operation into its app's log, as long as there is the app."""
        self._add_event(
            connection, operation.subject, kind="log", message=line.message, level=line.level, step=line.step
        )

    def add_app(self, connection: sa.Connection, app: App, *, begin: NewAppOperation) -> bool:
        """Add an app, its port and its first operation; False when its port was taken meanwhile.

        Raises:
            QuotaExceededError: the owner's apps would take too much together.
            AppBusyError: an operation on the app that it is copied from began meanwhile.
        """
        if connection.execute(sa.select(ops.c.id).where(ops.c.id == begin.id)).first() is not None:
            return True
        # Before any insert: all transactions lock source, then owner.
        _require_resting_source(connection, begin)
        if app.public_port is not None:
            values = {"host_id": app.host_id, "public_port": app.public_port, "app_id": app.id}
            # The primary key decides between deployments that chose the same port.
            if not connection.execute(insert_ignore(ports, connection).values(**values)).rowcount:
                return False
        connection.execute(apps.insert().values(**self._rows.render_app(app)))
        _check_quota(connection, app.id, quota=begin.quota)
        self._add_operation(connection, app.id, begin=begin)
        self._announce_status(connection, app.id, status=begin.status)
        return True

    def begin(
        self,
        connection: sa.Connection,
        app_id: str,
        *,
        begin: NewAppOperation,
        values: dict[str, Any],
        message: str,
    ) -> None:
        """Begin an operation on an app that has none under way.

        Raises:
            AppBusyError: another one is under way, has changed the app since it was looked at, or copies it.
        """
        # Compare and set: of several requests one begins its operation.
        query = apps.update().where(apps.c.id == app_id, apps.c.status.in_(STABLE))
        if begin.seen is not None:
            query = query.where(apps.c.updated_at == begin.seen)
        current = now()
        fields = {
            "status": begin.status,
            # An operation that fails leaves the app in error: this says whether it is to run when that is over.
            "settled_status": sa.case(
                (apps.c.status.in_(SETTLED), apps.c.status), else_=apps.c.settled_status
            ),
            "state_changed_at": current,
            "updated_at": current,
            "error": "",
        }
        if not connection.execute(
            query.values(**fields, **self._rows.render_columns(app_id, values))
        ).rowcount:
            raise AppBusyError(f"another operation on {app_id} is under way or has just ended", retry_after=2)
        _check_quota(connection, app_id, quota=begin.quota)
        if _is_copied(connection, app_id):
            raise AppBusyError(f"{app_id} is being copied; wait until that has ended", retry_after=2)
        self._add_operation(connection, app_id, begin=begin)
        self._announce_status(connection, app_id, status=begin.status)
        if message:
            self._add_event(connection, app_id, kind="log", message=message)

    def begin_destruction(self, connection: sa.Connection, mark: str, *, begin: NewAppOperation) -> None:
        """Begin an operation on what carries a mark; nothing more when it is known."""
        if connection.execute(sa.select(ops.c.id).where(ops.c.id == begin.id)).first() is None:
            self._add_operation(connection, mark, begin=begin)

    def _add_operation(self, connection: sa.Connection, app_id: str, *, begin: NewAppOperation) -> None:
        new = NewOperation(
            begin.id,
            app_id,
            begin.kind,
            dict(begin.state),
            begin.steps,
            begin.requested_by,
            delegated=begin.delegated,
            node=begin.node,
            storage=begin.storage,
        )
        add_operation(connection, operation_tables, new=new)
        # Another service carries a delegated operation out; no worker of apps has to wake.
        if not begin.delegated:
            operation_queue.wake(connection, begin.id)

    def hand_over(self, connection: sa.Connection, owner_id: int, *, to: int) -> int:
        """Give every app of a user to another one, with a line in its log, and return how many there are."""
        found = list(connection.execute(sa.select(apps.c.id).where(apps.c.owner_id == owner_id)).scalars())
        for app_id in found:
            self._change_app(connection, app_id, values={"owner_id": to})
            message = f"Handed over from user {owner_id}, who was removed, to user {to}"
            self._add_event(connection, app_id, kind="log", message=message)
        hand_over_records(connection, owner_id, to=to)
        return len(found)

    def _change_app(self, connection: sa.Connection, app_id: str, *, values: Mapping[str, Any]) -> None:
        current = now()
        fields = {**self._rows.render_columns(app_id, values), "updated_at": current}
        if "public_port" in values and values["public_port"] is None:
            connection.execute(ports.delete().where(ports.c.app_id == app_id))
        status = values.get("status")
        if status is not None:
            fields["state_changed_at"] = current
        if connection.execute(apps.update().where(apps.c.id == app_id).values(**fields)).rowcount and status:
            self._announce_status(connection, app_id, status=str(status))

    def _remove(self, connection: sa.Connection, app_id: str, *, delete_backups: bool) -> None:
        row = _facts(connection, app_id)
        if row is None:
            return
        connection.execute(ports.delete().where(ports.c.app_id == app_id))
        connection.execute(app_events.delete().where(app_events.c.app_id == app_id))
        keep_record(connection, app_id)  # its upgrades stay as long: each backup has one of their versions
        connection.execute(apps.delete().where(apps.c.id == app_id))
        add_removal(connection, app_id, owner_id=row.owner_id)
        event = events_pb2.AppRemoved(
            app_id=app_id,
            owner_id=row.owner_id,
            host_id=row.host_id,
            vmid=row.vmid or 0,
            adopted=row.adopted,
            delete_backups=delete_backups,
        )
        add_messages(connection, outbox, messages=[new_message(f"{_EVENTS}.app_removed", event)])
        self._notify(app_id)

    def _announce_status(self, connection: sa.Connection, app_id: str, *, status: str) -> None:
        self._add_event(connection, app_id, kind="status", message=status)
        event = events_pb2.AppStatusChanged(app_id=app_id, status=status)
        event.timestamp.FromDatetime(now())
        add_messages(connection, outbox, messages=[new_message(f"{_EVENTS}.app_status_changed", event)])

    def _add_event(
        self,
        connection: sa.Connection,
        app_id: str,
        *,
        kind: str,
        message: str,
        level: str = "info",
        step: str = "",
    ) -> None:
        values = {
            "app_id": app_id,
            "kind": kind,
            "level": level,
            "message": message,
            "step": step,
            "at": now(),
        }
        # The row lock makes the events of an app commit in the order of their ids: a client that resumes after an id has
        # seen all before it.
        query = sa.select(apps.c.id).where(apps.c.id == app_id).with_for_update()
        if connection.execute(query).first() is not None:
            connection.execute(app_events.insert().values(**values))
            self._notify(app_id)


def _facts(connection: sa.Connection, app_id: str) -> sa.Row[Any] | None:
    query = sa.select(apps.c.owner_id, apps.c.host_id, apps.c.vmid, apps.c.adopted).where(apps.c.id == app_id)
    rows: list[Any] = list(connection.execute(query))
    return rows[0] if rows else None


def _check_quota(connection: sa.Connection, app_id: str, *, quota: Quota | None) -> None:
    """Check the quota of an app's owner with the app as it is in the transaction; one transaction at a time per owner."""
    if quota is None or quota.is_unlimited:
        return
    owner = connection.execute(sa.select(apps.c.owner_id).where(apps.c.id == app_id)).scalar_one()
    # SQLite has one writer at a time; on PostgreSQL, two transactions would not see each other's app.
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_QUOTA_LOCK, owner)))
    check_quota(quota, read_counted_configs(connection, owner))


def _require_resting_source(connection: sa.Connection, begin: NewAppOperation) -> None:
    """Refuse a source on which an operation is under way; its row is locked until the copy is recorded."""
    source = begin.state.get("source_app_id")
    if not source or begin.state.get("archive"):
        return
    query = sa.select(apps.c.status).where(apps.c.id == source).with_for_update()
    status = connection.execute(query).scalar()
    if status not in STABLE:
        raise AppBusyError(f"{source} is {status or 'gone'}; wait until that has ended", retry_after=2)


def _is_copied(connection: sa.Connection, app_id: str) -> bool:
    """Whether an unfinished operation copies the app's container."""
    query = sa.select(ops.c.id).where(
        ops.c.finished_at.is_(None),
        # An operation that was given up copies nothing; its source would be locked until somebody replays it.
        ops.c.status != "dead",
        ops.c.kind == "clone_app",
        ops.c.state["source_app_id"].as_string() == app_id,
    )
    return connection.execute(query).first() is not None
