"""What two services need and no domain noun names: wire, database, messaging, tokens, secrets, operations.

It imports no service. Modules:
    audit        mutating calls reported to auth
    clock        the time, in one place
    config       settings from the environment, every fault reported at once
    db           one database per service; all work as functions of a connection, retried when that is safe
    errors       what a domain may refuse, without knowing gRPC
    idempotency  one answer per Idempotency-Key
    log          structured logs without secrets
    messaging    NATS: streams, publishing, consuming, key-value
    migrations   Alembic, one version table per service
    operations/  long work as steps that any worker can take over
    outbox       messages that commit with the data they speak of
    process      the life of a server or worker process
    rpc          gRPC server and client side; the only place that knows status codes
    rules        rules of single fields, read from the protos
    sealing      secrets at rest
    tokens       who is calling
"""
