"""CatalogService and CatalogInternalService: one method per RPC, which parses, calls one use case and renders."""

from services.catalog.handlers.internal import CatalogInternalHandlers
from services.catalog.handlers.public import CatalogHandlers

__all__ = ["CatalogHandlers", "CatalogInternalHandlers"]
