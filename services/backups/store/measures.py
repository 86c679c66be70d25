"""Counts of backups for metrics."""

from __future__ import annotations

import sqlalchemy as sa

from services.backups.domain.entities import BackupStatus
from services.backups.store.tables import backups
from services.common.core.telemetry.states import BackupMeasure
from services.common.db.database import Database

_newest = (
    sa.select(sa.func.max(backups.c.id)).where(backups.c.app_removed_at.is_(None)).group_by(backups.c.app_id)
)
_BY_STATUS = sa.select(backups.c.status, sa.func.count()).group_by(backups.c.status)
_LAST_FAILED = (
    sa.select(sa.func.count())
    .select_from(backups)
    .where(backups.c.id.in_(_newest), backups.c.status == BackupStatus.FAILED.value)
)


async def measure_backups(db: Database, *, overdue: int) -> BackupMeasure:
    """Count backups by status, and apps whose newest backup failed, beside those whose backup is overdue.

    Raises:
        UnavailableError: the database does not answer.
    """

    def read(connection: sa.Connection) -> BackupMeasure:
        return BackupMeasure(
            by_status={str(row[0]): int(row[1]) for row in connection.execute(_BY_STATUS)},
            last_failed=connection.execute(_LAST_FAILED).scalar_one(),
            overdue=overdue,
        )

    return await db.read(read)
