"""Time that a restore test may take, as administrators set it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017_restore_test_minutes"
down_revision = "0016_restore_test_settings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("restore_test_settings", sa.Column("minutes", sa.Integer))


def downgrade() -> None:
    op.drop_column("restore_test_settings", "minutes")
