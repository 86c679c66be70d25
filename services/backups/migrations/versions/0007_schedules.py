"""When repeated work runs next, by one process of all replicas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0007_schedules"
down_revision = "0006_removed_apps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("next_run_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("schedules")
