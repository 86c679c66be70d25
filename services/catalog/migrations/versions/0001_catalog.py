"""The tables of the catalog: revisions, what is current, publications, rejections, sources, outbox and inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("message_id", sa.String(100), nullable=False, unique=True),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.String(100), primary_key=True),
        sa.Column("received_at", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "revisions",
        sa.Column("item_id", sa.String(200), primary_key=True),
        sa.Column("revision", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("source", sa.String(60), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("published_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "current_items",
        sa.Column("item_id", sa.String(200), primary_key=True),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("source", sa.String(60), nullable=False, index=True),
        sa.ForeignKeyConstraint(["item_id", "revision"], ["revisions.item_id", "revisions.revision"]),
    )
    op.create_table(
        "publications",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String(60), nullable=False),
        sa.Column("item_count", sa.Integer, nullable=False),
        sa.Column("published_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "rejections",
        sa.Column("source", sa.String(60), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("file", sa.String(400), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "sources",
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
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    )


def downgrade() -> None:
    for table in (
        "idempotency",
        "sources",
        "rejections",
        "publications",
        "current_items",
        "revisions",
        "inbox",
        "outbox",
    ):
        op.drop_table(table)
