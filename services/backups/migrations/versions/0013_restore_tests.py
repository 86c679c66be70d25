"""Restore tests of backups, what they compare with, and the verification of a Proxmox Backup Server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_restore_tests"
down_revision = "0012_policy_scope"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backups", sa.Column("recorded", sa.JSON))
    op.add_column(
        "backups", sa.Column("test_status", sa.String(20), nullable=False, server_default="untested")
    )
    op.add_column("backups", sa.Column("test", sa.JSON))
    op.add_column("backups", sa.Column("verification", sa.String(20), nullable=False, server_default=""))
    op.add_column("backups", sa.Column("encrypted", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in ("encrypted", "verification", "test", "test_status", "recorded"):
        op.drop_column("backups", name)
