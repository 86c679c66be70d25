"""Standing of the archives of backups on their storages: whether they are there, and verified."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from services.backups.domain.entities import VERIFICATION_FAILED, VERIFICATION_REASON, Backup, BackupStatus
from services.backups.store.announcements import announce_broken, announce_changes
from services.backups.store.requests import BackupRequests
from services.backups.store.rows import backup_of_row
from services.backups.store.tables import backups
from services.common.core.clock import now

_PRESENCE = (BackupStatus.COMPLETED.value, BackupStatus.MISSING.value)


class ArchivePresence(BackupRequests):
    """Backups whose archives are compared with what the storages list."""

    async def list_archived(self, *, after: int, limit: int) -> list[Backup]:
        """See `BackupStore.list_archived`."""
        where = (backups.c.id > after, backups.c.status.in_(_PRESENCE), backups.c.volume_id != "")
        query = sa.select(backups).where(*where).order_by(backups.c.id).limit(limit)
        return await self._db.read(
            lambda connection: [backup_of_row(row) for row in connection.execute(query)]
        )

    async def note_presence(self, backup_ids: Collection[int], *, present: bool, error: str = "") -> None:
        """See `BackupStore.note_presence`."""
        before, after = (BackupStatus.MISSING, BackupStatus.COMPLETED)
        if not present:
            before, after = after, before
        # Only from the one status to the other: the backup may have been deleted or restored since the listing.
        change = backups.update().where(backups.c.id.in_(backup_ids), backups.c.status == before.value)
        values = {"status": after.value, "error": error, "updated_at": now()}

        def write(connection: sa.Connection) -> None:
            changed = connection.execute(change.values(**values).returning(backups.c.id)).scalars().all()
            announce_changes(connection, backups.c.id.in_(changed))

        await self._db.write(write)
        self._on_message()

    async def note_verification(self, backup_id: int, verification: str, *, encrypted: bool) -> None:
        """See `BackupStore.note_verification`."""
        values = {"verification": verification, "encrypted": encrypted, "updated_at": now()}
        change = backups.update().where(backups.c.id == backup_id).values(**values)

        is_failed = verification == VERIFICATION_FAILED
        # The condition is part of the update: of several replicas one changes the row, and announces it.
        new = backups.c.verification != verification
        first = backups.update().where(backups.c.id == backup_id, new).values(verification=verification)

        def write(connection: sa.Connection) -> None:
            found = connection.execute(first.returning(backups.c.app_id)).scalar_one_or_none()
            if found is not None and is_failed:
                announce_broken(connection, backup_id, app_id=found, reason=VERIFICATION_REASON)
            connection.execute(change)
            announce_changes(connection, backups.c.id == backup_id)

        await self._db.write(write)
        self._on_message()
