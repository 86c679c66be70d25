"""Node and storage of an operation, for limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_limits"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operations", sa.Column("node", sa.String(80), nullable=False, server_default=""))
    op.add_column("operations", sa.Column("storage", sa.String(120), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("operations", "storage")
    op.drop_column("operations", "node")
