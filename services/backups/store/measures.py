"""Counts of backups for metrics."""

from __future__ import annotations

import sqlalchemy as sa

from services.backups.domain.entities import BackupStatus
from services.backups.domain.restore_tests import RestoreTestStatus
from services.backups.store.rows import where_broken
from services.backups.store.tables import backups
from services.common.core.telemetry.metrics import BackupMeasure
from services.common.db.database import Database

# By id and not by time: the clock of a replica may be behind.
_newest = (
    sa.select(sa.func.max(backups.c.id)).where(backups.c.app_removed_at.is_(None)).group_by(backups.c.app_id)
)
_BY_STATUS = sa.select(backups.c.status, sa.func.count()).group_by(backups.c.status)
_LAST_FAILED = (
    sa.select(sa.func.count())
    .select_from(backups)
    .where(backups.c.id.in_(_newest), backups.c.status == BackupStatus.FAILED.value)
)
_BROKEN = (
    sa.select(sa.func.count())
    .select_from(backups)
    .where(backups.c.status == BackupStatus.COMPLETED.value, where_broken())
)
_BY_TEST = (
    sa.select(backups.c.test_status, sa.func.count())
    .where(backups.c.status == BackupStatus.COMPLETED.value)
    .group_by(backups.c.test_status)
)
# A test that could not be carried out says nothing about the backup.
_JUDGED = (RestoreTestStatus.PASSED.value, RestoreTestStatus.FAILED.value)
_newest_tested = (
    sa.select(sa.func.max(backups.c.id))
    .where(backups.c.app_removed_at.is_(None), backups.c.test_status.in_(_JUDGED))
    .group_by(backups.c.app_id)
)
_TESTS_LAST_FAILED = (
    sa.select(sa.func.count())
    .select_from(backups)
    .where(backups.c.id.in_(_newest_tested), backups.c.test_status == RestoreTestStatus.FAILED.value)
)


async def measure_backups(db: Database, *, overdue: int) -> BackupMeasure:
    """Count backups by status, apps whose newest backup failed, broken archives, and restore tests, beside the `overdue` ones.

    Raises:
        UnavailableError: the database does not answer.
    """

    def read(connection: sa.Connection) -> BackupMeasure:
        return BackupMeasure(
            by_status={str(row[0]): int(row[1]) for row in connection.execute(_BY_STATUS)},
            last_failed=connection.execute(_LAST_FAILED).scalar_one(),
            overdue=overdue,
            by_test={str(row[0]): int(row[1]) for row in connection.execute(_BY_TEST)},
            broken=connection.execute(_BROKEN).scalar_one(),
            tests_last_failed=connection.execute(_TESTS_LAST_FAILED).scalar_one(),
        )

    return await db.read(read)
