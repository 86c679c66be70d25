"""Icons and screenshots of imported items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("source", sa.String(60), primary_key=True),
        sa.Column("location", sa.String(500), primary_key=True),
        sa.Column("content_type", sa.String(40), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.String(400), nullable=False),
        sa.Column("fetched_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("pictures")
