"""Messages keep the trace in which they were written down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_traces"
down_revision = "0004_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("traceparent", sa.String(55), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("outbox", "traceparent")
