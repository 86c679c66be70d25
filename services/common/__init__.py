"""What two services need and no domain noun names: wire, database, messaging, tokens, secrets, operations.

It imports no service. Modules:
    audit        mutating calls reported to auth
    clock        the time, in one place
    commands     the command line of a service
    config       settings from the environment, every fault reported at once
    consuming    one message of a consumer: handled, acknowledged or given back
    db           one database per service; all work as functions of a connection, retried when that is safe
    errors       what a domain may refuse, without knowing gRPC
    following    revocations, as NATS tells them
    health       answers to probes
    idempotency  one answer per Idempotency-Key
    log          structured logs without secrets
    messaging    NATS: streams, publishing, consuming, key-value
    migrations   Alembic, one version table per service
    operations/  long work as steps that any worker can take over
    outbox       messages that commit with the data they speak of
    process      the life of a server or worker process
    resealing    secrets at rest under another key
    rpc          gRPC server and client side; the only place that knows status codes
    rules        rules of single fields, read from the protos
    runtime      what a process shares between its parts
    sealing      secrets at rest
    telemetry    traces, metrics, reports of errors
    tokens       who is calling
"""

VERSION = "2.0.0"
