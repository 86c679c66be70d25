"""When repeated work runs next, by one process of all replicas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0005"
down_revision = "0004"
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
