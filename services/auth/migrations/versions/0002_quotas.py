"""Quotas: limits for a user's apps together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = ("quota_apps", "quota_memory", "quota_cores", "quota_disk")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("users", sa.Column(name, sa.Integer))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("users", name)
