"""Backups on second storages, the newest external archive of each app, and how full storages are by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0014_second_storages"
down_revision = "0013_restore_tests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backups", sa.Column("copy_of", sa.Integer))
    op.create_index("copies_of_backup", "backups", ["copy_of"])
    op.create_table(
        "external_archives",
        sa.Column("app_id", sa.String(120), primary_key=True),
        sa.Column("volume_id", sa.String(400), nullable=False),
        sa.Column("storage", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "storage_samples",
        sa.Column("host_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("storage", sa.String(100), primary_key=True),
        sa.Column("node", sa.String(100), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("storage_samples")
    op.drop_table("external_archives")
    op.drop_index("copies_of_backup", "backups")
    op.drop_column("backups", "copy_of")
