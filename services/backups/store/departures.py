"""Backups whose app was deleted, or whose owner was removed."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from services.backups.store.announcements import announce_changes
from services.backups.store.archive_presence import ArchivePresence
from services.backups.store.tables import backups, inbox
from services.common.core.clock import Clock
from services.common.db.database import Database
from services.common.messaging.outbox import note_received


class BackupDepartures(ArchivePresence):
    """Changes of backups that the deletion of their app, or the removal of their owner, makes."""

    def __init__(self, db: Database, on_message: Callable[[], None], *, clock: Clock) -> None:
        super().__init__(db, on_message)
        self._clock = clock

    async def note_app_removed(self, app_id: str, *, message_id: str, delete: bool = False) -> None:
        """See `BackupStore.note_app_removed`."""
        current = self._clock()
        of_app = backups.update().where(backups.c.app_id == app_id)

        def write(connection: sa.Connection) -> None:
            # NATS may deliver the event again; protection may have been set in between.
            if not note_received(connection, inbox, message_id=message_id):
                return
            connection.execute(of_app.values(app_removed_at=current, updated_at=current))
            if delete:
                requested = of_app.where(~backups.c.protected)
                connection.execute(requested.values(delete_requested=True, updated_at=current))
            announce_changes(connection, backups.c.app_id == app_id)

        await self._db.write(write)
        self._on_message()

    async def hand_over(self, owner_id: int, *, to: int) -> None:
        """See `BackupStore.hand_over`."""
        change = backups.update().where(backups.c.owner_id == owner_id)
        values = {"owner_id": to, "updated_at": self._clock()}

        def write(connection: sa.Connection) -> None:
            changed = connection.execute(change.values(**values).returning(backups.c.id)).scalars().all()
            announce_changes(connection, backups.c.id.in_(changed))

        await self._db.write(write)
        self._on_message()
