"""Fetch of a source: all of it is published at once, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.faults import Rejection
from services.catalog.domain.importers.collection import Imported
from services.catalog.domain.interfaces import (
    CatalogStore,
    Importer,
    SourceFetcher,
    SourceStore,
    StackFetcher,
)
from services.catalog.domain.publication import publish_items
from services.catalog.domain.sources import Source, SourceFormat


class OnPublished(Protocol):
    """Work after the items of a source were published."""

    async def __call__(self, source: str, items: Sequence[Item], *, files: Mapping[str, bytes]) -> None:
        """Take the items with the files that they came from."""


async def fetch_source(
    catalog: CatalogStore,
    sources: SourceStore,
    *,
    fetcher: SourceFetcher,
    importer: Importer,
    source_id: int,
    stacks: StackFetcher | None = None,
    on_published: OnPublished | None = None,
) -> Source:
    """Fetch, import and publish a source; its status shows the outcome.

    After a failure, and when nothing of it can be published, the last good state stays.

    Raises:
        SourceNotFoundError: it was deleted, before or meanwhile.
        UnavailableError: the database does not answer; to be tried again.
    """
    source = await sources.get_source(source_id)
    try:
        files = await fetcher.fetch_files(source.location)
        if stacks is not None and source.format is SourceFormat.PORTAINER:
            files = await stacks.add_stacks(files)
        imported = await importer.import_files(files, source=source.name, kind=source.format)
    except SourceFetchError as error:
        return await _fail(sources, source_id, error=error.message)
    if not imported.items:
        return await _fail(
            sources, source_id, error=_describe_empty(source, imported), rejected=imported.rejections
        )
    await publish_items(
        catalog, source.name, items=imported.items, rejected=imported.rejections, source_id=source_id
    )
    await sources.finish_fetch(
        source_id, error="", item_count=len(imported.items), rejected_count=len(imported.rejections)
    )
    # After the items: pictures take minutes, and apps can be deployed without them.
    if on_published is not None:
        await on_published(source.name, [entry.item for entry in imported.items], files=files)
    return await sources.get_source(source_id)


async def _fail(
    sources: SourceStore, source_id: int, *, error: str, rejected: Sequence[Rejection] = ()
) -> Source:
    await sources.finish_fetch(source_id, error=error, item_count=0, rejected_count=0, rejected=rejected)
    return await sources.get_source(source_id)


def _describe_empty(source: Source, imported: Imported) -> str:
    message = f"contains no {source.format.value} app that can be published"
    if not imported.rejections:
        return message
    first = imported.rejections[0]
    more = f" and {len(imported.rejections) - 1} more, see its rejections" if imported.rejections[1:] else ""
    return f"{message}: {first.file}: {first.error}{more}"
