"""One function per RPC, named after it: ownership, state checks, and which errors callers get.

A module has the use cases of one resource or one RPC, and what only they need. A use case takes values and Protocols,
never a message, and does no I/O of its own.
"""
