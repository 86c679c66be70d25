"""The store of settings that administrators change."""

from __future__ import annotations

import sqlalchemy as sa

from services.backups.domain.settings import RestoreTestSettings
from services.backups.store.tables import restore_test_settings
from services.common.db.database import Database, insert_ignore

_ROW = 1  # there is one set of settings


class SqlBackupSettingsStore:
    """Settings in SQLite or PostgreSQL; implements `BackupSettingsStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get_settings(self) -> RestoreTestSettings:
        """See `BackupSettingsStore.get_settings`."""
        query = sa.select(restore_test_settings).where(restore_test_settings.c.id == _ROW)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return RestoreTestSettings()
        return RestoreTestSettings(
            bridge=row.bridge, storage=row.storage, hours=row.hours, minutes=row.minutes
        )

    async def update_settings(self, changes: RestoreTestSettings) -> None:
        """See `BackupSettingsStore.update_settings`."""
        change = restore_test_settings.update().where(restore_test_settings.c.id == _ROW)

        def write(connection: sa.Connection) -> None:
            connection.execute(insert_ignore(restore_test_settings, connection).values(id=_ROW))
            connection.execute(change.values(**changes.given))

        if changes:
            await self._db.write(write)
