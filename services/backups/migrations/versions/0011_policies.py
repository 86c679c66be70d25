"""Policies of backups, their runs for each app, and the policy that made a backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.common.db.database import UtcDateTime

revision = "0011_policies"
down_revision = "0010_waiting_for"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(60), nullable=False, unique=True),
        sa.Column("schedule", sa.String(100), nullable=False),
        sa.Column("time_zone", sa.String(60), nullable=False),
        sa.Column("window_minutes", sa.Integer, nullable=False),
        sa.Column("backup_type", sa.String(20), nullable=False),
        sa.Column("compression", sa.String(20), nullable=False),
        sa.Column("wanted_storage", sa.String(100), nullable=False),
        sa.Column("retention", sa.JSON, nullable=False),
        sa.Column("app_ids", sa.JSON, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("applies_since", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "policy_runs",
        sa.Column("policy_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("app_id", sa.String(120), primary_key=True),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("last_slot", UtcDateTime),
        sa.Column("overdue_slot", UtcDateTime),
    )
    op.add_column("backups", sa.Column("policy_id", sa.Integer))


def downgrade() -> None:
    op.drop_column("backups", "policy_id")
    op.drop_table("policy_runs")
    op.drop_table("policies")
