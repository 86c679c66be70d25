"""Rows of backups and their domain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.backups.domain.archive_checks import MAX_REASON, ArchiveCheck, ArchiveCheckStatus
from services.backups.domain.entities import (
    VERIFICATION_FAILED,
    Backup,
    BackupCopy,
    BackupOrder,
    BackupStatus,
)
from services.backups.domain.errors import BackupNotFoundError
from services.backups.domain.interfaces import BackupKey, NewBackup
from services.backups.domain.restore_tests import RecordedApp, RestoreTest, RestoreTestStatus
from services.backups.store.tables import backups, operations
from services.backups.workflows.create_backup_state import CreateBackupState


def where_app(app_id: str, owner_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Backups of an app, or only those of an owner."""
    where: list[sa.ColumnElement[bool]] = [backups.c.app_id == app_id]
    return where if owner_id is None else [*where, backups.c.owner_id == owner_id]


def where_key(key: BackupKey) -> list[sa.ColumnElement[bool]]:
    """Build the conditions of the backup that a key names."""
    return [backups.c.id == key.backup_id, *where_app(key.app_id, key.owner_id)]


def read_backup(connection: sa.Connection, key: BackupKey, *, lock: bool = False) -> Backup:
    """Read one backup and, with `lock`, lock its row.

    Raises:
        BackupNotFoundError: there is none.
    """
    query = sa.select(backups).where(*where_key(key))
    if lock:
        # SQLAlchemy leaves it out for SQLite, which lets one transaction write at a time.
        query = query.with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise BackupNotFoundError(f"{key.app_id} has no backup {key.backup_id}")
    return backup_of_row(row)


def find_operation(connection: sa.Connection, operation_id: str) -> sa.Row[Any] | None:
    """Find the row of an operation."""
    return connection.execute(sa.select(operations).where(operations.c.id == operation_id)).one_or_none()


def find_duration(connection: sa.Connection, app_id: str) -> int | None:
    """Seconds that the newest completed backup of an app took; None when there is none."""
    query = sa.select(backups.c.created_at, backups.c.completed_at).where(
        backups.c.app_id == app_id, backups.c.completed_at.is_not(None)
    )
    row = connection.execute(query.order_by(backups.c.id.desc()).limit(1)).one_or_none()
    # 0 would mean that nothing is known.
    return max(1, int((row.completed_at - row.created_at).total_seconds())) if row is not None else None


def render_new(new: NewBackup, current: datetime, *, expected_s: int | None) -> dict[str, Any]:
    """Render the row of a new backup."""
    return {
        "expected_s": expected_s,
        "policy_id": new.policy_id,
        "copy_of": new.copy_of,
        "app_id": new.app.app_id,
        # Copied, because the list shows backups of apps that were deleted.
        "app_name": new.app.name[:100],
        "owner_id": new.app.owner_id,
        "host_id": new.app.host_id,
        "vmid": new.app.vmid,
        "backup_type": new.order.backup_type,
        "compression": new.order.compression,
        "wanted_storage": new.order.storage,
        "mark": new.operation_id,
        "status": BackupStatus.CREATING.value,
        "volume_id": "",
        "file_name": "",
        "storage": "",
        "size": 0,
        "error": "",
        "protected": False,
        "notes": new.order.notes,
        "progress": 0,
        "created_at": current,
        "updated_at": current,
    }


def begin_state(backup: Backup, new: NewBackup) -> CreateBackupState:
    """Build the first state of CreateBackup."""
    return CreateBackupState(
        operation_id=new.operation_id,
        backup_id=backup.id,
        app_id=backup.app_id,
        mark=backup.mark,
        backup_type=new.order.backup_type,
        compression=new.order.compression,
        storage=new.order.storage,
        notes=new.order.notes,
        host_id=new.app.host_id,
        vmid=new.app.vmid,
        node=new.app.node,
        expected_s=backup.expected_s or 0,
        storages=(),
    )


def backup_of_row(row: sa.Row[Any]) -> Backup:
    """Parse a row of `backups`."""
    order = BackupOrder(
        backup_type=row.backup_type,
        compression=row.compression,
        storage=row.wanted_storage,
        notes=row.notes,
    )
    return Backup(
        id=row.id,
        app_id=row.app_id,
        owner_id=row.owner_id,
        host_id=row.host_id,
        vmid=row.vmid,
        order=order,
        mark=row.mark,
        status=BackupStatus(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
        volume_id=row.volume_id,
        file_name=row.file_name,
        storage=row.storage,
        size=row.size,
        error=row.error,
        protected=row.protected,
        notes=row.notes,
        progress=row.progress,
        expected_s=row.expected_s,
        left_out=tuple(row.left_out or ()),
        waiting_for=row.waiting_for,
        completed_at=row.completed_at,
        app_removed_at=row.app_removed_at,
        app_name=row.app_name,
        policy_id=row.policy_id,
        copy_of=row.copy_of,
        restore_test=_parse_test(row.test_status, row.test or {}),
        recorded=RecordedApp.from_json(row.recorded),
        verification=row.verification,
        encrypted=row.encrypted,
        archive_check=_parse_check(row.check_status, row.archive_check or {}),
    )


def where_broken() -> sa.ColumnElement[bool]:
    """Condition of backups whose archive is broken: `Backup.is_broken`."""
    return sa.or_(
        backups.c.check_status == ArchiveCheckStatus.BROKEN.value,
        backups.c.verification == VERIFICATION_FAILED,
    )


def render_check(check: ArchiveCheck) -> dict[str, Any]:
    """Render the columns of a check of an archive."""
    details = {"message": check.message[:MAX_REASON], "node": check.node, **_render_times(check)}
    return {"check_status": check.status.value, "archive_check": details}


def _parse_check(status: str, details: Mapping[str, Any]) -> ArchiveCheck:
    return ArchiveCheck(
        status=ArchiveCheckStatus(status),
        message=str(details.get("message") or ""),
        node=str(details.get("node") or ""),
        **_parse_times(details),
    )


def _render_times(one: ArchiveCheck | RestoreTest) -> dict[str, str]:
    times = {"started_at": one.started_at, "ended_at": one.ended_at}
    return {name: time.isoformat() for name, time in times.items() if time is not None}


def _parse_times(details: Mapping[str, Any]) -> dict[str, datetime]:
    names = ("started_at", "ended_at")
    return {name: datetime.fromisoformat(details[name]) for name in names if details.get(name)}


def render_test(test: RestoreTest) -> dict[str, Any]:
    """Render the columns of a restore test."""
    details = {
        "failed_step": test.failed_step,
        "message": test.message,
        "node": test.node,
        "log": list(test.log),
        **_render_times(test),
    }
    return {"test_status": test.status.value, "test": details}


def _parse_test(status: str, details: Mapping[str, Any]) -> RestoreTest:
    return RestoreTest(
        status=RestoreTestStatus(status),
        failed_step=str(details.get("failed_step") or ""),
        message=str(details.get("message") or ""),
        node=str(details.get("node") or ""),
        log=tuple(details.get("log") or ()),
        **_parse_times(details),
    )


def attach_copies(connection: sa.Connection, found: Sequence[Backup]) -> list[Backup]:
    """Return backups with their copies on second storages, from one query."""
    # Only policies make copies, and of copies there are none: most lists need no second query.
    ids = [one.id for one in found if one.policy_id is not None and one.copy_of is None]
    if not ids:
        return list(found)
    query = sa.select(backups).where(backups.c.copy_of.in_(ids)).order_by(backups.c.id)
    copies: dict[int, list[BackupCopy]] = defaultdict(list)
    for row in connection.execute(query):
        # Until vzdump has named the archive, the storage is the one that was requested.
        storage = row.storage or row.wanted_storage
        copies[row.copy_of].append(BackupCopy(row.id, storage, BackupStatus(row.status)))
    return [replace(one, copies=tuple(copies.get(one.id, ()))) for one in found]
