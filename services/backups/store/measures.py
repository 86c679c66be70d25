"""Counts of backups for metrics."""

from __future__ import annotations

import sqlalchemy as sa

from services.backups.domain.entities import BackupStatus
from services.backups.store.tables import backups, policies, policy_runs
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
# A slot that was announced as overdue stays so until the policy has a backup that can be restored.
_OVERDUE = (
    sa.select(sa.func.count())
    .select_from(policy_runs.join(policies, policies.c.id == policy_runs.c.policy_id))
    .where(
        policies.c.enabled,
        policy_runs.c.overdue_slot.is_not(None),
        ~sa.exists().where(
            backups.c.policy_id == policy_runs.c.policy_id,
            backups.c.app_id == policy_runs.c.app_id,
            backups.c.status == BackupStatus.COMPLETED.value,
            backups.c.created_at >= policy_runs.c.overdue_slot,
        ),
    )
)


async def measure_backups(db: Database) -> BackupMeasure:
    """Count backups by status, apps whose newest backup failed, and apps whose backup is overdue.

    Raises:
        UnavailableError: the database does not answer.
    """

    def read(connection: sa.Connection) -> BackupMeasure:
        return BackupMeasure(
            by_status={str(row[0]): int(row[1]) for row in connection.execute(_BY_STATUS)},
            last_failed=connection.execute(_LAST_FAILED).scalar_one(),
            overdue=connection.execute(_OVERDUE).scalar_one(),
        )

    return await db.read(read)
