"""Architecture of nodes; empty where Proxmox does not say. The release before neither reads nor writes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("nodes", sa.Column("architecture", sa.String(16), nullable=False, server_default=""))
