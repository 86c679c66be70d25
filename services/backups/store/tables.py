"""The tables of backups."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import UtcDateTime
from services.common.messaging import outbox as outbox_tables
from services.common.messaging.schedule import define_table as define_schedules
from services.common.operations import tables as operation_tables
from services.common.rpc.interceptors import idempotency as idempotency_tables

metadata = sa.MetaData()
outbox, inbox = outbox_tables.define_tables(metadata)
idempotency = idempotency_tables.define_table(metadata)
schedules = define_schedules(metadata)
tables = operation_tables.define_tables(metadata)
operations = tables.operations
backups = sa.Table(
    "backups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("app_id", sa.String(120), nullable=False),
    sa.Column("owner_id", sa.Integer, nullable=False),
    sa.Column("host_id", sa.Integer, nullable=False),
    sa.Column("vmid", sa.Integer, nullable=False),
    sa.Column("backup_type", sa.String(20), nullable=False),
    sa.Column("compression", sa.String(20), nullable=False),
    sa.Column("wanted_storage", sa.String(100), nullable=False),
    # The id of the operation that makes it: a repeated request finds the row instead of a second backup.
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
    sa.Column("updated_at", UtcDateTime, nullable=False, onupdate=now),
    sa.Column("completed_at", UtcDateTime),
    sa.Column("app_removed_at", UtcDateTime),
    sa.Column("app_name", sa.String(100), nullable=False, server_default=""),
    sa.Column("expected_s", sa.Integer),
    sa.Column("left_out", sa.JSON),
    sa.Column("waiting_for", sa.Text, nullable=False, server_default=""),
    sa.Column("delete_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    # No foreign key: the backups of a policy that is deleted stay.
    sa.Column("policy_id", sa.Integer),
    sa.Column("copy_of", sa.Integer),
    sa.Column("recorded", sa.JSON),
    sa.Column("test_status", sa.String(20), nullable=False, server_default="untested"),
    # JSON beside a column for the status, which alone is searched for and counted.
    sa.Column("test", sa.JSON),
    sa.Column("verification", sa.String(20), nullable=False, server_default=""),
    sa.Column("encrypted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("check_status", sa.String(20), nullable=False, server_default="unchecked"),
    sa.Column("archive_check", sa.JSON),
    sa.Index("backups_of_app", "app_id", "id"),
    sa.Index("backups_of_owner", "owner_id", "id"),
    sa.Index("backups_of_policy", "policy_id", "app_id", "id"),
    sa.Index("copies_of_backup", "copy_of"),
    sqlite_autoincrement=True,
)
policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(60), nullable=False),
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
    sa.Column("updated_at", UtcDateTime, nullable=False, onupdate=now),
    # No NULL: a unique constraint takes each NULL for another value, and names would not be unique.
    sa.Column("owner_id", sa.Integer, nullable=False, server_default="0"),  # 0: the administrators'
    sa.Column("applies_to", sa.String(20), nullable=False, server_default="apps"),
    sa.Column("owner_ids", sa.JSON),
    sa.Column("excluded_app_ids", sa.JSON),
    sa.Column("new_apps_since", UtcDateTime),
    sa.Column("jitter_minutes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("test_restore", sa.String(20), nullable=False, server_default="never"),
    sa.Column("second_storage", sa.String(100), nullable=False, server_default=""),
    sa.Column("verify", sa.String(20), nullable=False, server_default="never"),
    sa.UniqueConstraint("owner_id", "name", name="policies_owner_id_name_key"),
    sqlite_autoincrement=True,
)
policy_limits = sa.Table(
    "policy_limits",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sa.Column("max_policies", sa.Integer, nullable=False),
    sa.Column("min_interval_minutes", sa.Integer, nullable=False),
    sa.Column("max_kept", sa.Integer, nullable=False),
    sa.Column("storages", sa.JSON, nullable=False),
)
restore_test_settings = sa.Table(
    "restore_test_settings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    # NULL: that of the environment.
    sa.Column("bridge", sa.String(15)),
    sa.Column("storage", sa.String(100)),
    sa.Column("hours", sa.String(20)),
    sa.Column("minutes", sa.Integer),
)
policy_runs = sa.Table(
    "policy_runs",
    metadata,
    sa.Column("policy_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("app_id", sa.String(120), primary_key=True),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("last_slot", UtcDateTime),
    sa.Column("overdue_slot", UtcDateTime),
    sa.Column("waiting_for", sa.Text, nullable=False, server_default=""),
)
external_archives = sa.Table(
    "external_archives",
    metadata,
    sa.Column("app_id", sa.String(120), primary_key=True),
    sa.Column("volume_id", sa.String(400), nullable=False),
    sa.Column("storage", sa.String(100), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
storage_samples = sa.Table(
    "storage_samples",
    metadata,
    sa.Column("host_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("storage", sa.String(100), primary_key=True),
    sa.Column("node", sa.String(100), primary_key=True),
    # Part of the key: a later sample of the day replaces the first, and the table grows by the day.
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
)
