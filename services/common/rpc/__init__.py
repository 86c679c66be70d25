"""gRPC servers and clients; the only package that knows status codes.

call            one request as a handler sees it: the caller, its address, and response headers
server          registers handlers and runs the interceptors around each call
handlers        lookup of handlers, bidirectional RPCs, errors of handlers as refusals
server_context  cross-cutting concerns shared by all handlers of a server; peers; limits of calls and streams
interceptors/   authorization, decoding and validation, idempotency, deadline and shutdown, audit
responses/      responses rendered once and cached as bytes
status          domain errors to google.rpc.Status and back; instrumentation of RPCs by their status
client          channels to other services with identity, deadline, retries and mutual TLS
reflection      server reflection on the public API
"""
