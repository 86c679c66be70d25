"""When each source is fetched of its own accord."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("refresh_hours", sa.Integer, nullable=False, server_default="24"))
    op.add_column("sources", sa.Column("next_fetch_at", UtcDateTime))


def downgrade() -> None:
    op.drop_column("sources", "next_fetch_at")
    op.drop_column("sources", "refresh_hours")
