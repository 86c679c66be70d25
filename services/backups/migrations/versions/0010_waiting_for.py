"""Reason why the making of a backup waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_waiting_for"
down_revision = "0009_operations_by_age"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backups", sa.Column("waiting_for", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("backups", "waiting_for")
