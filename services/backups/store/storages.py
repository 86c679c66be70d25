"""The store of external archives, samples of storages and facts of backups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date

import sqlalchemy as sa

from services.backups.domain.entities import GOOD, BackupStatus
from services.backups.domain.statistics import BackupFacts, StorageSample
from services.backups.domain.storage_store import ExternalArchive
from services.backups.store.tables import backups, external_archives, storage_samples
from services.common.db.database import Database

_SAMPLE_KEY = ("host_id", "storage", "node", "day")


class SqlStorageStore:
    """Storages in SQLite or PostgreSQL; implements `StorageStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_volume_ids(self, host_id: int) -> set[str]:
        """See `StorageStore.list_volume_ids`."""
        query = sa.select(backups.c.volume_id).where(backups.c.host_id == host_id, backups.c.volume_id != "")
        return set(await self._db.read(lambda connection: connection.execute(query).scalars().all()))

    async def note_external(self, found: Sequence[ExternalArchive], *, gone: Collection[str]) -> None:
        """See `StorageStore.note_external`."""
        table = external_archives

        def write(connection: sa.Connection) -> None:
            known = {
                row.app_id: ExternalArchive(**row._asdict()) for row in connection.execute(sa.select(table))
            }
            # Only what changed is written: most readings find the same archives.
            for app_id in known.keys() & set(gone):
                connection.execute(table.delete().where(table.c.app_id == app_id))
            for one in found:
                if one.app_id not in known:
                    connection.execute(table.insert().values(**asdict(one)))
                elif one != known[one.app_id]:
                    connection.execute(
                        table.update().where(table.c.app_id == one.app_id).values(**asdict(one))
                    )

        await self._db.write(write)

    async def delete_external(self, *, existing: Collection[str]) -> None:
        """See `StorageStore.delete_external`."""
        query = sa.select(external_archives.c.app_id)
        known = await self._db.read(lambda connection: connection.execute(query).scalars().all())
        gone = [app_id for app_id in known if app_id not in existing]
        if gone:
            await self.note_external((), gone=gone)

    async def list_external(self, app_ids: Sequence[str]) -> dict[str, ExternalArchive]:
        """See `StorageStore.list_external`."""
        query = sa.select(external_archives).where(external_archives.c.app_id.in_(app_ids))
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {row.app_id: ExternalArchive(**row._asdict()) for row in rows}

    async def note_samples(self, samples: Sequence[StorageSample]) -> None:
        """See `StorageStore.note_samples`."""
        table = storage_samples

        def write(connection: sa.Connection) -> None:
            for one in samples:
                where = [table.c[name] == getattr(one, name) for name in _SAMPLE_KEY]
                change = table.update().where(*where).values(used=one.used, total=one.total)
                # One sample a day: the last one of the day stays.
                if not connection.execute(change).rowcount:
                    connection.execute(table.insert().values(**asdict(one)))

        await self._db.write(write)

    async def list_samples(self, *, since: date) -> list[StorageSample]:
        """See `StorageStore.list_samples`."""
        order = [storage_samples.c[name] for name in _SAMPLE_KEY]
        query = sa.select(storage_samples).where(storage_samples.c.day >= since).order_by(*order)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [StorageSample(**row._asdict()) for row in rows]

    async def delete_samples(self, *, before: date) -> None:
        """See `StorageStore.delete_samples`."""
        old = storage_samples.delete().where(storage_samples.c.day < before)
        await self._db.write(lambda connection: connection.execute(old))

    async def list_facts(self, *, owner_id: int | None) -> list[BackupFacts]:
        """See `StorageStore.list_facts`."""
        names = ("app_id", "app_name", "policy_id", "host_id", "size", "created_at")
        columns = [backups.c[name] for name in names]
        # Backups under way have neither a size nor a duration.
        ended = backups.c.status.in_([*(status.value for status in GOOD), BackupStatus.FAILED.value])
        place = (backups.c.storage, backups.c.wanted_storage, backups.c.completed_at)
        query = sa.select(*columns, *place).where(ended).order_by(backups.c.id)
        if owner_id is not None:
            query = query.where(backups.c.owner_id == owner_id)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [
            BackupFacts(
                **{name: getattr(row, name) for name in names},
                storage=row.storage or row.wanted_storage,
                duration_s=(row.completed_at - row.created_at).total_seconds() if row.completed_at else None,
            )
            for row in rows
        ]
