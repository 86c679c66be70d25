"""gRPC servers and clients; the only package that knows status codes.

call            one request as a handler sees it: the caller, and response headers
server          registers handlers and runs the interceptors around each call
server_context  cross-cutting concerns shared by all handlers of a server
interceptors/   authorization, decoding, validation, idempotency, deadline, audit, instrumentation
responses/      responses rendered once and cached as bytes
status          domain errors to google.rpc.Status and back
client          channels to other services with identity, deadline and retries
auth_client     verification keys and API tokens, requested from auth
peers, tls      the other end of a connection; mutual TLS
stream_limits   open streams per user
shutdown        graceful drain of a server
"""
