"""AuthService and AuthInternalService: one method per RPC, which parses, calls one use case and renders.

One module per resource. `cookies` and `direct_audit` are what the server needs around them.
"""
