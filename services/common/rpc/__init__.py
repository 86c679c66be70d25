"""gRPC, server and client side: the only place that knows status codes.

status   domain errors <-> google.rpc.Status
call     one request as a handler sees it: who calls, what to answer besides the message
guard    who may call: tokens, scopes, CSRF
server   handlers -> grpc.aio services, with guard, rules, idempotency, errors and audit around each
peers    the other end of a connection, and what it may say about others
tls      mutual TLS between gateway and services
times    times on the wire
client   channels to other services, with identity, deadline and retries
"""
