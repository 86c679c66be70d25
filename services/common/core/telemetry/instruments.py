"""The Prometheus instruments; imported only where they are served, because most processes of a small site need none."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LONG = (0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)

RPC_SECONDS = Histogram(
    "proximity_rpc_seconds", "Time of an RPC in a service.", ["method", "code"], buckets=_FAST
)
STEP_SECONDS = Histogram(
    "proximity_step_seconds",
    "Time of one try of a workflow's step.",
    ["kind", "step", "outcome"],
    buckets=_LONG,
)
PROXMOX_SECONDS = Histogram(
    "proximity_proxmox_seconds", "Time of a call to Proxmox.", ["method", "path", "outcome"], buckets=_FAST
)
OPERATIONS_ENDED = Counter("proximity_operations_ended", "Operations that ended.", ["kind", "status"])
OPERATIONS = Gauge("proximity_operations_unfinished", "Operations that have not ended.", ["status"])
OPERATIONS_AGE = Gauge(
    "proximity_operations_oldest_seconds", "Age of the oldest unfinished operation.", ["status"]
)
APPS = Gauge("proximity_apps", "Apps by status.", ["status"])
BACKUPS = Gauge("proximity_backups", "Backups by status.", ["status"])
BACKUPS_LAST_FAILED = Gauge("proximity_backups_last_failed", "Apps whose newest backup failed.")
BACKUPS_BROKEN = Gauge(
    "proximity_backups_broken",
    "Completed backups whose archive a check or a Proxmox Backup Server found broken.",
)
RESTORE_TESTS = Gauge(
    "proximity_restore_tests", "Completed backups by the status of their restore test.", ["status"]
)
RESTORE_TESTS_LAST_FAILED = Gauge(
    "proximity_restore_tests_last_failed", "Apps of whose tested backups the newest failed its restore test."
)
BACKUPS_OVERDUE = Gauge(
    "proximity_backups_overdue", "Apps without a backup in time by the schedule of a policy."
)
HOST_ONLINE = Gauge("proximity_host_online", "1 while a Proxmox host that is switched on answers.", ["host"])
HOST_CERTIFICATE_EXPIRY = Gauge(
    "proximity_host_certificate_expiry_timestamp_seconds",
    "When the first certificate of a Proxmox host's nodes expires.",
    ["host"],
)
SIGN_INS = Counter("proximity_sign_ins", "Sign-ins with a password by outcome.", ["outcome"])
CERTIFICATE_EXPIRY = Gauge(
    "proximity_certificate_expiry_timestamp_seconds", "When a certificate expires.", ["certificate"]
)
CONSUMER_PENDING = Gauge(
    "proximity_consumer_pending_messages", "Messages that a consumer has not fetched yet.", ["consumer"]
)
CONSUMER_UNACKNOWLEDGED = Gauge(
    "proximity_consumer_unacknowledged_messages",
    "Messages that a consumer fetched and has not processed yet.",
    ["consumer"],
)
STREAM_BYTES = Gauge("proximity_stream_bytes", "Size of a stream of NATS.", ["stream"])
STREAM_MESSAGES = Gauge("proximity_stream_messages", "Messages in a stream of NATS.", ["stream"])
DATABASE_BYTES = Gauge("proximity_database_bytes", "Size of the service's database.")
DATABASE_SESSIONS = Gauge(
    "proximity_database_sessions", "Connections to the service's database on PostgreSQL.", ["state"]
)
DATABASE_DEADLOCKS = Gauge(
    "proximity_database_deadlocks", "Deadlocks in the service's database since PostgreSQL's statistics began."
)
DATABASE_TRANSACTION_AGE = Gauge(
    "proximity_database_oldest_transaction_seconds", "Age of the oldest open transaction on PostgreSQL."
)
OUTBOX = Gauge("proximity_outbox_messages", "Messages that NATS has not taken yet.")
POISON = Gauge(
    "proximity_poison_messages", "Messages that were set aside because nothing could process them."
)
NATS = Gauge("proximity_nats_connected", "1 while connected to NATS.")
POOL = Gauge("proximity_database_connections_in_use", "Connections of the pool that are in use.")
