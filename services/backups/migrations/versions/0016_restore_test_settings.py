"""Settings of restore tests that administrators change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016_restore_test_settings"
down_revision = "0015_archive_checks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restore_test_settings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bridge", sa.String(15)),
        sa.Column("storage", sa.String(100)),
        sa.Column("hours", sa.String(20)),
    )


def downgrade() -> None:
    op.drop_table("restore_test_settings")
