"""The tables of apps."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import UtcDateTime
from services.common.db.migrations import SealedColumn
from services.common.messaging.outbox import define_tables as define_outbox
from services.common.messaging.schedule import define_table as define_schedules
from services.common.operations.tables import define_tables as define_operations
from services.common.rpc.interceptors import idempotency as common_idempotency
from services.common.rpc.interceptors.idempotency import seal_column

metadata = sa.MetaData()
outbox, inbox = define_outbox(metadata)
idempotency = common_idempotency.define_table(metadata)
schedules = define_schedules(metadata)
operation_tables = define_operations(metadata)

apps = sa.Table(
    "apps",
    metadata,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("catalog_id", sa.String(100), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("hostname", sa.String(63), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("host_id", sa.Integer, nullable=False),
    sa.Column("node", sa.String(63), nullable=False),
    sa.Column("vmid", sa.Integer),
    sa.Column("owner_id", sa.Integer, nullable=False),
    sa.Column("runtime", sa.String(10), nullable=False),
    sa.Column("internal_port", sa.Integer),
    sa.Column("public_port", sa.Integer),
    sa.Column("published", sa.Boolean, nullable=False),
    sa.Column("address", sa.String(45), nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("inputs", sa.Text, nullable=False, server_default=""),
    sa.Column("secret_names", sa.JSON, nullable=False),
    sa.Column("rendering", sa.JSON, nullable=False),
    sa.Column("revision", sa.String(100), nullable=False),
    sa.Column("adopted", sa.Boolean, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("conditions", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False, onupdate=now),
    sa.Column("state_changed_at", UtcDateTime, nullable=False),
    # The last of running and stopped that an operation found it in; "" while there was none.
    sa.Column("settled_status", sa.String(20), nullable=False, server_default=""),
    # As the backups service reported last, so that lists of apps need no call to it.
    sa.Column("last_backup_id", sa.Integer),
    sa.Column("last_backup_at", UtcDateTime),
    sa.Column("last_backup_storage", sa.String(100), nullable=False, server_default=""),
    sa.Column("backup_overdue_since", UtcDateTime),
    sa.Column("backup_overdue_policy", sa.String(60)),
)
sa.Index("apps_hostname", apps.c.hostname, unique=True)
sa.Index("apps_container", apps.c.host_id, apps.c.vmid, unique=True)
sa.Index("apps_newest", apps.c.created_at, apps.c.id)
sa.Index("apps_of_owner", apps.c.owner_id, apps.c.created_at, apps.c.id)
sa.Index("apps_of_owner_by_status", apps.c.owner_id, apps.c.status, apps.c.created_at, apps.c.id)
sa.Index("apps_by_status", apps.c.status, apps.c.created_at)

ports = sa.Table(
    "ports",
    metadata,
    sa.Column("host_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("public_port", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("app_id", sa.String(120), nullable=False, index=True),
)

app_events = sa.Table(
    "app_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("app_id", sa.String(120), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("level", sa.String(10), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("step", sa.String(60), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("app_events_of_app", app_events.c.app_id, app_events.c.id)

upgrades = sa.Table(
    "upgrades",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("app_id", sa.String(120), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("archive", sa.String(400), nullable=False),
    sa.Column("archive_gone", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
sa.Index("upgrades_of_app", upgrades.c.app_id, upgrades.c.created_at)

# What a removed app was, so that its backups can be restored as a new app; forgotten with the last of them.
removed_apps = sa.Table(
    "removed_apps",
    metadata,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),  # as sealed for the row of `apps`
    sa.Column("record", sa.JSON, nullable=False),  # the columns that are not sealed
    sa.Column("inputs", sa.Text, nullable=False, server_default=""),
    sa.Column("removed_at", UtcDateTime, nullable=False),
)

SEALED = (
    seal_column(idempotency),
    SealedColumn(removed_apps.c.environment, "apps.environment"),
    SealedColumn(removed_apps.c.inputs, "apps.inputs"),
    SealedColumn(apps.c.environment, "apps.environment"),
    SealedColumn(apps.c.inputs, "apps.inputs"),
    SealedColumn(upgrades.c.before, "apps.upgrades"),
    SealedColumn(upgrades.c.after, "apps.upgrades"),
)

sightings = sa.Table(
    "sightings",
    metadata,
    sa.Column("host_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("vmid", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("subject", sa.String(120), primary_key=True),
    sa.Column("scans", sa.Integer, nullable=False),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
    sa.Column("last_seen_at", UtcDateTime, nullable=False),
)
