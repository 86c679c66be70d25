"""The store of checks of archives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import sqlalchemy as sa

from services.backups.domain.archive_checks import ArchiveCheck, ArchiveCheckStatus
from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.errors import BackupInUseError
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.preconditions import check_verifiable
from services.backups.store.announcements import announce_changes
from services.backups.store.changes import do_nothing, operation_queue
from services.backups.store.rows import backup_of_row, find_operation, read_backup, render_check
from services.backups.store.tables import backups, tables
from services.backups.workflows import check_backup
from services.backups.workflows.check_backup import CheckBackupState
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.operations.model import NewOperation, Workflow, dump_state
from services.common.operations.tables import add_operation


class SqlArchiveCheckStore:
    """Checks of archives in SQLite or PostgreSQL; implements `ArchiveCheckStore`."""

    def __init__(
        self,
        db: Database,
        workflows: Mapping[str, Workflow[Any]],
        *,
        on_message: Callable[[], None] = do_nothing,
        clock: Clock = now,
    ) -> None:
        self._db = db
        self._workflows = workflows
        self._on_message = on_message
        self._clock = clock

    async def begin_check(self, key: BackupKey, *, operation_id: str, requested_by: int) -> Backup:
        """See `ArchiveCheckStore.begin_check`."""

        def write(connection: sa.Connection) -> Backup:
            backup = read_backup(connection, key, lock=True)
            if find_operation(connection, operation_id) is not None:
                return backup
            check_verifiable(backup)
            state = CheckBackupState(
                operation_id=operation_id,
                backup_id=backup.id,
                host_id=backup.host_id,
                archive=backup.volume_id,
            )
            new = NewOperation(
                id=operation_id,
                # A check reads alone, and may run beside any operation of the app.
                subject=f"check/{backup.id}",
                kind=check_backup.KIND,
                state=dump_state(state),
                steps=self._workflows[check_backup.KIND].plan(dump_state(state)),
                requested_by=requested_by,
            )
            add_operation(connection, tables, new=new)
            begun = ArchiveCheck(status=ArchiveCheckStatus.RUNNING, started_at=self._clock())
            values = {**render_check(begun), "updated_at": self._clock()}
            connection.execute(backups.update().where(backups.c.id == backup.id).values(**values))
            announce_changes(connection, backups.c.id == backup.id)
            operation_queue.wake(connection, operation_id)
            return read_backup(connection, key)

        try:
            backup = await self._db.write(write)
        # The index of unfinished operations: the outcome of a check is recorded before its operation ends.
        except sa.exc.IntegrityError as error:
            raise BackupInUseError(f"backup {key.backup_id} is being checked", retry_after=5) from error
        self._on_message()
        return backup

    async def list_unverified(self, policy_ids: Collection[int]) -> list[Backup]:
        """See `ArchiveCheckStore.list_unverified`."""
        where = (
            backups.c.policy_id.in_(policy_ids),
            backups.c.status == BackupStatus.COMPLETED.value,
            backups.c.app_removed_at.is_(None),
        )
        query = sa.select(backups).where(*where).order_by(backups.c.id.desc())
        return await self._db.read(
            lambda connection: [backup_of_row(row) for row in connection.execute(query)]
        )
