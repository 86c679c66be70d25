"""One function per RPC, named after it: authorization, state checks and limits.

A module has the use cases of one resource or one RPC, and what only they need. A use case takes values and Protocols,
never a message, and does no I/O of its own.
"""
