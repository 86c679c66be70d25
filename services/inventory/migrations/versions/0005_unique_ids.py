"""Ids of deleted rows are not given out again on SQLite, and one relay at a time publishes the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime
from services.common.db.migrations import add_autoincrement

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_autoincrement(op.get_bind(), "outbox", skip=10_000)
    add_autoincrement(op.get_bind(), "hosts")
    add_autoincrement(op.get_bind(), "nodes")
    op.create_table(
        "outbox_lease",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("outbox_lease")  # the release before works with unique ids too
