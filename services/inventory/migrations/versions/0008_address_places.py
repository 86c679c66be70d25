"""Static addresses by host, bridge and VLAN: two networks may have the same one. Copies that have no address yet.

The release before works on: rows that it writes have no bridge, and count for every network of their host.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COLUMNS = "address, owner, host_id, reserved_at"


def upgrade() -> None:
    op.add_column("vmids", sa.Column("is_copy", sa.Boolean, nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
        return
    op.add_column("addresses", sa.Column("bridge", sa.String(15), nullable=False, server_default=""))
    op.add_column("addresses", sa.Column("vlan", sa.Integer, nullable=False, server_default="0"))
    # Not a new table: the prepared statements of running replicas name this one.
    op.execute("ALTER TABLE addresses DROP CONSTRAINT addresses_owner_key, DROP CONSTRAINT addresses_pkey")
    op.create_primary_key("addresses_pkey", "addresses", ["host_id", "bridge", "vlan", "address"])
    op.create_index("ix_addresses_owner", "addresses", ["owner"])


def _rebuild() -> None:
    """SQLite cannot change a primary key."""
    op.create_table(
        "addresses_by_place",
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id"), primary_key=True),
        sa.Column("bridge", sa.String(15), primary_key=True, server_default=""),
        sa.Column("vlan", sa.Integer, primary_key=True, autoincrement=False, server_default="0"),
        sa.Column("address", sa.String(45), primary_key=True),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("reserved_at", UtcDateTime, nullable=False),
    )
    op.execute(f"INSERT INTO addresses_by_place ({_COLUMNS}) SELECT {_COLUMNS} FROM addresses")  # noqa: S608
    op.drop_table("addresses")
    op.rename_table("addresses_by_place", "addresses")
    op.create_index("ix_addresses_owner", "addresses", ["owner"])
