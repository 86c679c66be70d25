"""The tables of backups: backups, operations and their steps, outbox, inbox and idempotency."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_messages()
    _create_operations()
    op.create_table(
        "backups",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("app_id", sa.String(120), nullable=False),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("host_id", sa.Integer, nullable=False),
        sa.Column("vmid", sa.Integer, nullable=False),
        sa.Column("backup_type", sa.String(20), nullable=False),
        sa.Column("compression", sa.String(20), nullable=False),
        sa.Column("wanted_storage", sa.String(100), nullable=False),
        sa.Column("mark", sa.String(64), nullable=False, unique=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("volume_id", sa.String(400), nullable=False),
        sa.Column("file_name", sa.String(300), nullable=False),
        sa.Column("storage", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("progress", sa.Integer),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("completed_at", UtcDateTime),
        sa.Column("app_removed_at", UtcDateTime),
    )
    op.create_index("backups_of_app", "backups", ["app_id", "id"])


def _create_messages() -> None:
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
        "idempotency",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    )


def _create_operations() -> None:
    op.create_table(
        "operations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("step_index", sa.Integer, nullable=False),
        sa.Column("step_count", sa.Integer, nullable=False),
        sa.Column("progress", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("undo_attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("waiting_for", sa.Text, nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("not_before", UtcDateTime, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("requested_by", sa.Integer),
        sa.Column("trace_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
    )
    unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "operations_one_unfinished",
        "operations",
        ["subject"],
        unique=True,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index(
        "operations_runnable",
        "operations",
        ["not_before"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index("operations_of_subject", "operations", ["subject", "created_at"])
    op.create_table(
        "operation_steps",
        sa.Column("operation_id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("upids", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for table in ("backups", "operation_steps", "operations", "idempotency", "inbox", "outbox"):
        op.drop_table(table)
