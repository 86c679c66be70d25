"""The beginning of operations for which apps has to lock an app.

Such an operation is recorded first, and due only after a delay. Until then it belongs to the request that recorded it, which
has apps lock the app and then starts or withdraws it; every other request is refused meanwhile. If two of them called apps, one
that was refused would withdraw what apps has locked the app for on behalf of the other one. When it is due it belongs to
the workers, and nobody withdraws it any more.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from services.backups.domain.entities import BackupStatus
from services.backups.domain.errors import OperationBeginningError
from services.backups.store.announcements import announce_changes
from services.backups.store.changes import operation_queue
from services.backups.store.departures import BackupDepartures
from services.backups.store.tables import backups, operations, tables
from services.backups.workflows import create_backup

# Until a worker takes an operation that was only recorded: longer than three attempts of a call to apps take.
WITHOUT_BEGINNER = timedelta(seconds=15)


class BackupBeginnings(BackupDepartures):
    """Operations that are recorded and not begun."""

    async def is_waiting(self, operation_id: str) -> bool:
        """See `BackupStore.is_waiting`."""
        return await self._db.read(lambda connection: self._is_waiting(connection, operation_id))

    async def start_operation(self, operation_id: str) -> None:
        """See `BackupStore.start_operation`."""

        def write(connection: sa.Connection) -> None:
            connection.execute(
                operations.update()
                .where(operations.c.id == operation_id, operations.c.fence == 0)
                .values(not_before=self._clock())
            )
            operation_queue.wake(connection, operation_id)

        await self._db.write(write)
        self._on_message()

    async def withdraw_operation(self, operation_id: str) -> None:
        """See `BackupStore.withdraw_operation`."""

        def write(connection: sa.Connection) -> None:
            row = connection.execute(
                operations.delete()
                .where(*self._where_waiting(operation_id))
                .returning(operations.c.kind, operations.c.state)
            ).one_or_none()
            # It belongs to the workers: from then on only the operation itself may take it back.
            if row is None:
                return
            connection.execute(tables.steps.delete().where(tables.steps.c.operation_id == operation_id))
            if row.kind == create_backup.KIND:
                announce_changes(connection, backups.c.mark == operation_id, is_removal=True)
                connection.execute(backups.delete().where(backups.c.mark == operation_id))
            else:
                self._set(connection, row.state["backup_id"], status=BackupStatus.COMPLETED.value)

        await self._db.write(write, is_final=False)

    def _check_begun(self, connection: sa.Connection, operation_id: str) -> None:
        """Refuse to go on with an operation that another request has recorded and is beginning.

        Raises:
            OperationBeginningError: with its id.
        """
        if self._is_waiting(connection, operation_id):
            raise OperationBeginningError(
                f"operation {operation_id} is being begun by another request", retry_after=2
            )

    def _is_waiting(self, connection: sa.Connection, operation_id: str) -> bool:
        query = sa.select(operations.c.id).where(*self._where_waiting(operation_id))
        return connection.execute(query).first() is not None

    def _where_waiting(self, operation_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        # The fence grows with the first claim: 0 means that no worker has seen it.
        is_new = operations.c.id == operation_id, operations.c.fence == 0
        return *is_new, operations.c.not_before > self._clock()

    def _set(self, connection: sa.Connection, backup_id: int, **values: object) -> None:
        connection.execute(
            backups.update().where(backups.c.id == backup_id).values(updated_at=self._clock(), **values)
        )
        announce_changes(connection, backups.c.id == backup_id)
