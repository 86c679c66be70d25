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
OPERATIONS_AGE = Gauge("proximity_operations_oldest_seconds", "Age of the oldest unfinished operation.")
OUTBOX = Gauge("proximity_outbox_messages", "Messages that NATS has not taken yet.")
POISON = Gauge(
    "proximity_poison_messages", "Messages that were set aside because nothing could process them."
)
NATS = Gauge("proximity_nats_connected", "1 while connected to NATS.")
POOL = Gauge("proximity_database_connections_in_use", "Connections of the pool that are in use.")
