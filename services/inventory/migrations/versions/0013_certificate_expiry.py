"""Expiry of the certificates of Proxmox hosts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hosts", sa.Column("certificate_expires_at", UtcDateTime))


def downgrade() -> None:
    op.drop_column("hosts", "certificate_expires_at")
