"""Expected time of a backup, and volumes that are not in its archive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_progress_of_copies"
down_revision = "0007_schedules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backups", sa.Column("expected_s", sa.Integer))
    op.add_column("backups", sa.Column("left_out", sa.JSON))


def downgrade() -> None:
    op.drop_column("backups", "left_out")
    op.drop_column("backups", "expected_s")
