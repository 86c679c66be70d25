"""CatalogService and CatalogInternalService: one method per RPC, which parses, calls one use case and renders."""

from services.catalog.handlers.catalog import CatalogHandlers, CatalogInternalHandlers

__all__ = ["CatalogHandlers", "CatalogInternalHandlers"]
