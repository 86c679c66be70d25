"""All SQL of the catalog, and its cached copy in memory."""

from services.catalog.store.pictures import SqlPictureStore
from services.catalog.store.publications import SqlCatalogStore
from services.catalog.store.sources import FETCH_SOURCE, REVISION_PUBLISHED

__all__ = ["FETCH_SOURCE", "REVISION_PUBLISHED", "SqlCatalogStore", "SqlPictureStore"]
