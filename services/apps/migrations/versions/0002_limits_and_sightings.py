"""Nodes and storages of operations, for their limits; sightings of reconciliation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0002_limits"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operations", sa.Column("node", sa.String(80), nullable=False, server_default=""))
    op.add_column("operations", sa.Column("storage", sa.String(120), nullable=False, server_default=""))
    op.create_table(
        "sightings",
        sa.Column("host_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("vmid", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("subject", sa.String(120), primary_key=True),
        sa.Column("scans", sa.Integer, nullable=False),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("sightings")
    op.drop_column("operations", "storage")
    op.drop_column("operations", "node")
