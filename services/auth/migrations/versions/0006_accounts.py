"""One-time links, notices at the next sign-in, and the form in which look-alike user names are equal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null until an account is added: the release before adds accounts without it.
    op.add_column("users", sa.Column("username_skeleton", sa.String(600)))
    op.create_index("ix_users_username_skeleton", "users", ["username_skeleton"])
    op.add_column("users", sa.Column("notice", sa.String(500), nullable=False, server_default=""))
    op.create_table(
        "one_time_links",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
        sa.Column("is_staff", sa.Boolean, nullable=False),
        sa.Column("issued_by", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("one_time_links")
    op.drop_column("users", "notice")
    op.drop_index("ix_users_username_skeleton", "users")
    op.drop_column("users", "username_skeleton")
