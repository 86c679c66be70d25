"""Sessions know when their user was authenticated; used refresh tokens know their successor for a short time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("authenticated_at", UtcDateTime))
    op.add_column("sessions", sa.Column("amr", sa.String(60), nullable=False, server_default="pwd"))
    op.add_column("sessions", sa.Column("user_agent", sa.String(200), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("last_used_at", UtcDateTime))
    op.add_column("refresh_tokens", sa.Column("sealed_successor", sa.Text))


def downgrade() -> None:
    op.drop_column("refresh_tokens", "sealed_successor")
    for name in ("last_used_at", "user_agent", "amr", "authenticated_at"):
        op.drop_column("sessions", name)
