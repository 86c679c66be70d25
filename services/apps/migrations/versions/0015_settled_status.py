"""Whether an app in error ran or rested before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_settled_status"
down_revision = "0014_overdue_backups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "apps", sa.Column("settled_status", sa.String(length=20), server_default="", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("apps", "settled_status")
