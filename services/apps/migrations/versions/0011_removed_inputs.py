"""Inputs of removed apps, sealed in a column of their own, so that a changed SECRET_KEY seals them anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_removed_inputs"
down_revision = "0010_inputs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("removed_apps", sa.Column("inputs", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("removed_apps", "inputs")
