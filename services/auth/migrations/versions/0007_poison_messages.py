"""Messages that no delivery can process are set aside in the database."""

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
        "poison_messages",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("consumer", sa.String(100), nullable=False),
        sa.Column("message_id", sa.String(150), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("set_aside_at", UtcDateTime, nullable=False),
        sa.Column("replay", sa.Boolean, nullable=False),
        sa.UniqueConstraint("consumer", "message_id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("poison_messages")
