"""Fetches a source and publishes all of it at once, or nothing."""

from __future__ import annotations

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.importers.collection import Imported
from services.catalog.domain.interfaces import CatalogStore, Importer, SourceFetcher, SourceStore
from services.catalog.domain.publishing import publish_items
from services.catalog.domain.sources import Source


async def fetch_source(
    catalog: CatalogStore,
    sources: SourceStore,
    fetcher: SourceFetcher,
    *,
    importer: Importer,
    source_id: int,
) -> Source:
    """Fetch, import and publish a source; its status tells the outcome.

    After a failure, and when nothing of it can be published, the last good state stays.

    Raises:
        SourceNotFoundError: it was deleted, before or meanwhile.
        UnavailableError: the database does not answer; to be tried again.
    """
    source = await sources.get_source(source_id)
    try:
        files = await fetcher.fetch_files(source.location)
        imported = await importer.import_files(files, source=source.name, kind=source.format)
        _refuse_empty(source, imported)
    except SourceFetchError as error:
        await sources.finish_fetch(source_id, error=error.message, item_count=0, rejected_count=0)
        return await sources.get_source(source_id)
    await publish_items(catalog, source.name, imported.items, imported.rejections, source_id=source_id)
    counts = {"item_count": len(imported.items), "rejected_count": len(imported.rejections)}
    await sources.finish_fetch(source_id, error="", **counts)
    return await sources.get_source(source_id)


def _refuse_empty(source: Source, imported: Imported) -> None:
    if imported.items:
        return
    reasons = (
        f": {imported.rejections[0].file}: {imported.rejections[0].error}" if imported.rejections else ""
    )
    raise SourceFetchError(f"holds no {source.format.value} app that can be published{reasons}")
