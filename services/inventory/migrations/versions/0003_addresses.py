"""Static addresses of containers, each given once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "addresses",
        sa.Column("address", sa.String(45), primary_key=True),
        sa.Column("owner", sa.String(100), nullable=False, unique=True),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id"), nullable=False),
        sa.Column("reserved_at", UtcDateTime, nullable=False),
    )
