"""Accounts as auth offers them to other services.

Modules, from the lowest layer to the highest:
    values        frozen values
    interface     the Protocol that use cases and workflows depend on
    lookup        reads that answer None or False where there is nothing
    client        the Protocol over gRPC
    verification  keys, API tokens and revocations, by which the other services verify tokens
"""
