"""API tokens know the API token that made them, with which they end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_tokens", sa.Column("parent_id", sa.Integer))


def downgrade() -> None:
    op.drop_column("api_tokens", "parent_id")
