"""The store of restore tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import sqlalchemy as sa

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.errors import NodeTestingError
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.preconditions import check_testable
from services.backups.domain.restore_test_store import NewRestoreTest
from services.backups.domain.restore_tests import MAX_LINE, RestoreTest, RestoreTestStatus
from services.backups.store.announcements import announce_changes
from services.backups.store.changes import do_nothing, operation_queue
from services.backups.store.rows import backup_of_row, find_operation, read_backup, render_test
from services.backups.store.tables import backups, operations, tables
from services.backups.workflows import test_backup
from services.backups.workflows.test_backup_state import TestBackupState
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.operations.model import NewOperation, Workflow, dump_state
from services.common.operations.tables import add_operation


class SqlRestoreTestStore:
    """Restore tests in SQLite or PostgreSQL; implements `RestoreTestStore`."""

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

    async def begin_test(self, key: BackupKey, new: NewRestoreTest) -> Backup:
        """See `RestoreTestStore.begin_test`."""

        def write(connection: sa.Connection) -> Backup:
            backup = read_backup(connection, key, lock=True)
            if find_operation(connection, new.operation_id) is not None:
                return backup
            check_testable(backup)
            add_operation(connection, tables, new=self._render_operation(backup, new))
            begun = RestoreTest(
                status=RestoreTestStatus.RUNNING, started_at=self._clock(), node=new.node, log=new.notes
            )
            self._set(connection, backup.id, test=begun)
            operation_queue.wake(connection, new.operation_id)
            return read_backup(connection, key)

        try:
            backup = await self._db.write(write)
        # The index of unfinished operations: another replica began a test on the node at the same moment.
        except sa.exc.IntegrityError as error:
            raise NodeTestingError(
                f"another restore test runs on node {new.node}; one is carried out at a time", retry_after=60
            ) from error
        self._on_message()
        return backup

    async def note_untested(self, backup_id: int, *, message: str) -> None:
        """See `RestoreTestStore.note_untested`."""
        current = self._clock()
        test = RestoreTest(message=message[:MAX_LINE], started_at=current, ended_at=current)

        def write(connection: sa.Connection) -> None:
            # A test may have begun since the reason was found: its outcome counts.
            is_untested = backups.c.test_status == RestoreTestStatus.UNTESTED.value
            query = sa.select(backups.c.id).where(backups.c.id == backup_id, is_untested)
            if connection.execute(query.with_for_update()).one_or_none() is not None:
                self._set(connection, backup_id, test=test)

        await self._db.write(write)
        self._on_message()

    async def list_candidates(self, policy_ids: Collection[int]) -> list[Backup]:
        """See `RestoreTestStore.list_candidates`."""
        where = (
            backups.c.policy_id.in_(policy_ids),
            backups.c.status == BackupStatus.COMPLETED.value,
            backups.c.app_removed_at.is_(None),
        )
        # Newest first: it is the one that would be restored.
        query = sa.select(backups).where(*where).order_by(backups.c.id.desc())
        return await self._db.read(
            lambda connection: [backup_of_row(row) for row in connection.execute(query)]
        )

    async def find_limits(self, operation_ids: Collection[str]) -> dict[str, float]:
        """See `RestoreTestStore.find_limits`."""
        where = (operations.c.id.in_(operation_ids), operations.c.finished_at.is_(None))
        query = sa.select(operations.c.id, operations.c.state).where(*where)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {row.id: float(row.state.get("limit_s") or 0) for row in rows}

    def _render_operation(self, backup: Backup, new: NewRestoreTest) -> NewOperation:
        state = dump_state(
            TestBackupState(
                operation_id=new.operation_id,
                backup_id=backup.id,
                app_id=backup.app_id,
                archive=backup.volume_id,
                host_id=backup.host_id,
                node=new.node,
                storage=new.storage,
                bridge=new.bridge,
                log=new.notes,
                recorded=new.recorded,
                left_out=backup.left_out,
                broken=new.broken,
                began_at=self._clock().timestamp(),
                limit_s=new.limit_s,
            )
        )
        node = f"{backup.host_id}/{new.node}"
        return NewOperation(
            id=new.operation_id,
            # One unfinished operation per subject: so one test runs on a node at a time.
            subject=f"restore-test/{node}",
            kind=test_backup.KIND,
            state=state,
            steps=self._workflows[test_backup.KIND].plan(state),
            requested_by=new.requested_by,
            node=node,
            storage=f"{backup.host_id}/{new.storage}",
        )

    def _set(self, connection: sa.Connection, backup_id: int, *, test: RestoreTest) -> None:
        values: dict[str, Any] = {**render_test(test), "updated_at": self._clock()}
        connection.execute(backups.update().where(backups.c.id == backup_id).values(**values))
        announce_changes(connection, backups.c.id == backup_id)
