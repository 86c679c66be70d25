"""Values of apps by input, sealed; empty where they are the environment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_inputs"
down_revision = "0009_removed_apps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apps", sa.Column("inputs", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("apps", "inputs")
