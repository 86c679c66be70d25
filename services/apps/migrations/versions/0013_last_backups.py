"""The newest backup of each app, and whether the backup before its last update is gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.core.clock import now
from services.common.db.database import UtcDateTime

revision = "0013_last_backups"
down_revision = "0012_operations_by_age"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apps", sa.Column("last_backup_id", sa.Integer))
    op.add_column("apps", sa.Column("last_backup_at", UtcDateTime))
    op.add_column(
        "upgrades", sa.Column("archive_gone", sa.Boolean, nullable=False, server_default=sa.false())
    )
    # The worker reads them from backups as soon as it runs, and not only an hour later.
    schedules = sa.table("schedules", sa.column("name", sa.String), sa.column("next_run_at", UtcDateTime))
    op.execute(schedules.insert().values(name="last_backups", next_run_at=now()))


def downgrade() -> None:
    op.execute("DELETE FROM schedules WHERE name = 'last_backups'")
    op.drop_column("upgrades", "archive_gone")
    op.drop_column("apps", "last_backup_at")
    op.drop_column("apps", "last_backup_id")
