"""SSH addresses of nodes, by node as JSON; empty for none. The release before goes on as without them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hosts", sa.Column("ssh_addresses", sa.Text, nullable=False, server_default=""))
