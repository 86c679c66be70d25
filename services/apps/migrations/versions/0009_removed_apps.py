"""Records of removed apps, for restoring their backups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0009_removed_apps"
down_revision = "0008_poison_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed_apps",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
        sa.Column("removed_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("removed_apps")
