"""Backups of deleted apps: the app's name, and whether they are deleted with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_removed_apps"
down_revision = "0005_poison_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backups", sa.Column("app_name", sa.String(100), nullable=False, server_default=""))
    op.add_column(
        "backups", sa.Column("delete_requested", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("backups_of_owner", "backups", ["owner_id", "id"])


def downgrade() -> None:
    op.drop_index("backups_of_owner", "backups")
    op.drop_column("backups", "delete_requested")
    op.drop_column("backups", "app_name")
