"""An index for lists of the operations on all apps, newest first."""

from __future__ import annotations

from alembic import op

revision = "0009_operations_by_age"
down_revision = "0008_progress_of_copies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("operations_by_age", "operations", ["created_at"])


def downgrade() -> None:
    op.drop_index("operations_by_age", "operations")
