"""Catalog items as the catalog offers them to apps.

Modules, from the lowest layer to the highest:
    values      frozen values
    interface   the Protocol that use cases and workflows depend on
    client      the Protocol over gRPC
"""
