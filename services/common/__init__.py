"""Infrastructure that at least two services use. It imports no service and names no domain noun.

Packages, from the lowest layer to the highest; a package imports only packages below it:
    core        errors, clock, configuration, logs, telemetry
    db          engines, transactions, compiled queries, migrations
    identity    tokens, keys of services, secrets at rest
    messaging   NATS JetStream: bus, consumers, streams, transactional outbox, schedules
    operations  long-running work as named steps that any worker can resume
    rpc         gRPC servers and clients; the only place that knows status codes
    process     start, supervision and graceful shutdown of a server or worker
"""

from protos import VERSION as VERSION
