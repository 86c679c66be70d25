"""Checks of archives, and which of a policy's are checked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_archive_checks"
down_revision = "0014_second_storages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "backups", sa.Column("check_status", sa.String(20), nullable=False, server_default="unchecked")
    )
    op.add_column("backups", sa.Column("archive_check", sa.JSON))
    op.add_column("policies", sa.Column("verify", sa.String(20), nullable=False, server_default="never"))


def downgrade() -> None:
    op.drop_column("policies", "verify")
    op.drop_column("backups", "archive_check")
    op.drop_column("backups", "check_status")
