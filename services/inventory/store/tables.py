"""The tables of the inventory."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import UtcDateTime
from services.common.db.migrations import SealedColumn
from services.common.messaging.outbox import define_tables
from services.common.messaging.schedule import define_table as define_schedules
from services.common.rpc.interceptors import idempotency as idempotency_module

SECRETS = ("password", "token_secret", "ssh_key")
metadata = sa.MetaData()
outbox, inbox = define_tables(metadata)
idempotency = idempotency_module.define_table(metadata)
schedules = define_schedules(metadata)

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("host", sa.String(253), nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("user", sa.String(128), nullable=False),
    sa.Column("ssh_port", sa.Integer, nullable=False),
    sa.Column("verify_ssl", sa.Boolean, nullable=False),
    # 95 characters: SHA-256 in hexadecimal digits, with colons as Proxmox shows it.
    sa.Column("fingerprint", sa.String(95), nullable=False, server_default=""),
    sa.Column("token_id", sa.String(256), nullable=False, server_default=""),
    sa.Column("password", sa.Text, nullable=False, server_default=""),
    sa.Column("token_secret", sa.Text, nullable=False, server_default=""),
    sa.Column("ssh_key", sa.Text, nullable=False, server_default=""),
    sa.Column("exec_mode", sa.String(10), nullable=False, server_default=""),
    sa.Column("ssh_addresses", sa.Text, nullable=False, server_default=""),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("status", sa.String(20), nullable=False, server_default="unknown"),
    sa.Column("version", sa.String(40), nullable=False, server_default=""),
    sa.Column("last_error", sa.Text, nullable=False, server_default=""),
    sa.Column("last_seen", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False, onupdate=now),
    sa.Column("request_id", sa.String(32), unique=True),
    sa.Column("certificate_expires_at", UtcDateTime),
    sqlite_autoincrement=True,
)
nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("architecture", sa.String(16), nullable=False, server_default=""),
    # JSON, empty: not counted. Not in `facts`, where the release before takes no other fields.
    sa.Column("allocated", sa.Text, nullable=False, server_default=""),
    sa.Column("last_updated", UtcDateTime, nullable=False),
    sa.UniqueConstraint("host_id", "name"),
    sqlite_autoincrement=True,
)
vmids = sa.Table(
    "vmids",
    metadata,
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id"), primary_key=True),
    sa.Column("vmid", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String(100), nullable=False),
    sa.Column("reserved_at", UtcDateTime, nullable=False),
    sa.Column("is_copy", sa.Boolean, nullable=False, server_default=sa.false()),
    # One container of an owner on a host: a repeated reservation finds the first, whatever replica answers.
    sa.UniqueConstraint("host_id", "owner"),
)
addresses = sa.Table(
    "addresses",
    metadata,
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id"), primary_key=True),
    # 15 characters: the longest name of a network interface in Linux (IFNAMSIZ).
    sa.Column("bridge", sa.String(15), primary_key=True, server_default=""),
    sa.Column("vlan", sa.Integer, primary_key=True, autoincrement=False, server_default="0"),
    # 45 characters: the longest text of an IPv6 address, with an IPv4 address in it.
    sa.Column("address", sa.String(45), primary_key=True),
    sa.Column("owner", sa.String(100), nullable=False, index=True),
    sa.Column("reserved_at", UtcDateTime, nullable=False),
)
ssh_keys = sa.Table(
    "ssh_keys",
    metadata,
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("address", sa.String(300), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
)
console_leases = sa.Table(
    "console_leases",
    metadata,
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("vmid", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.String(32), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)
settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False, onupdate=now),
)
SEALED = (
    idempotency_module.seal_column(idempotency),
    *(SealedColumn(hosts.c[name], f"hosts.{name}") for name in SECRETS),
)
