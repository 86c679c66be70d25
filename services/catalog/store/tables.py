"""The tables of the catalog."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db.database import UtcDateTime
from services.common.messaging.outbox import define_tables
from services.common.messaging.schedule import define_table as define_schedules
from services.common.rpc.interceptors.idempotency import define_table as define_idempotency_table

metadata = sa.MetaData()
outbox, inbox = define_tables(metadata)
idempotency = define_idempotency_table(metadata)
schedules = define_schedules(metadata)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("item_id", sa.String(200), primary_key=True),
    sa.Column("revision", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("source", sa.String(60), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
)
current_items = sa.Table(
    "current_items",
    metadata,
    sa.Column("item_id", sa.String(200), primary_key=True),
    sa.Column("revision", sa.String(64), nullable=False),
    sa.Column("source", sa.String(60), nullable=False, index=True),
    sa.ForeignKeyConstraint(["item_id", "revision"], ["revisions.item_id", "revisions.revision"]),
)
publications = sa.Table(
    "publications",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("source", sa.String(60), nullable=False),
    sa.Column("item_count", sa.Integer, nullable=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
rejections = sa.Table(
    "rejections",
    metadata,
    sa.Column("source", sa.String(60), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("file", sa.String(400), nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)
pictures = sa.Table(
    "pictures",
    metadata,
    sa.Column("source", sa.String(60), primary_key=True),
    sa.Column("location", sa.String(500), primary_key=True),
    sa.Column("content_type", sa.String(40), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("error", sa.String(400), nullable=False),
    sa.Column("fetched_at", UtcDateTime, nullable=False),
)
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(60), nullable=False, unique=True),
    sa.Column("location", sa.String(500), nullable=False),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("item_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("rejected_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fetch_queued_at", UtcDateTime),
    sa.Column("last_fetched_at", UtcDateTime),
    sa.Column("refresh_hours", sa.Integer, nullable=False, server_default="24"),
    sa.Column("allow_host_needs", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("next_fetch_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
