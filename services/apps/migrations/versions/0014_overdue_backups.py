"""The backup of each app that is overdue, and the storage of its newest external one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0014_overdue_backups"
down_revision = "0013_last_backups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apps", sa.Column("last_backup_storage", sa.String(100), nullable=False, server_default=""))
    op.add_column("apps", sa.Column("backup_overdue_since", UtcDateTime))
    op.add_column("apps", sa.Column("backup_overdue_policy", sa.String(60)))


def downgrade() -> None:
    op.drop_column("apps", "backup_overdue_policy")
    op.drop_column("apps", "backup_overdue_since")
    op.drop_column("apps", "last_backup_storage")
