"""Sums of what the guests of nodes may use; empty until a node is read. The release before neither reads nor writes them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("nodes", sa.Column("allocated", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("nodes", "allocated")
