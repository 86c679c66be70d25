"""Add how commands get into the containers of a host: ssh, console or none; empty until it was tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hosts", sa.Column("exec_mode", sa.String(10), nullable=False, server_default=""))
