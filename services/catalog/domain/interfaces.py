"""Interfaces of the catalog: stores, readers of sources, and the service that plans deployments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.catalog.domain.entities import Revision
from services.catalog.domain.faults import Rejection
from services.catalog.domain.importers.collection import Imported
from services.catalog.domain.item import Record
from services.catalog.domain.pictures import Picture
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.domain.sources import NewSource, Source, SourceChanges, SourceFormat


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A document to publish under an item's id."""

    item_id: str
    revision: str
    version: str
    document: Record


@dataclass(frozen=True, slots=True)
class Publication:
    """One published state of one source: `number` grows with each, over all sources."""

    number: int
    source: str
    item_count: int
    published_at: datetime


class PublishedCatalog(Protocol):
    """The published catalog as this process has it in memory; another replica may have published a newer one."""

    @property
    def index(self) -> CatalogIndex:
        """The newest state that this process knows."""

    async def find_index(self, item_id: str) -> CatalogIndex:
        """Return the index to read an item from.

        Where this process does not know the item, the index is refreshed first: another replica may have published
        the item a moment ago.
        """

    async def refresh(self) -> bool:
        """Read the catalog again if another state was published; return whether it was."""


class OwnItemFiles(Protocol):
    """The item files of this installation."""

    def read_item_files(self) -> Iterable[tuple[str, bytes]]:
        """Return the name and content of every item file, by name."""

    def find_icon(self, location: str) -> Picture | None:
        """Return an icon of the folder, or None."""

    def has_icon(self, location: str) -> bool:
        """Whether `find_icon` finds one."""

    def read_schema(self) -> bytes:
        """Return the JSON Schema of an item file."""


class CatalogStore(Protocol):
    """Store of publications. Revisions are never changed or removed."""

    async def publish(
        self,
        source: str,
        revisions: Sequence[NewRevision],
        *,
        rejections: Sequence[Rejection],
        source_id: int | None = None,
    ) -> Publication:
        """Make exactly these the current items of a source, in one transaction.

        Publishing what is current already changes and announces nothing. With `source_id`, the source of this name
        must still be the one with this id: while a fetch runs, another may be registered under the name.

        Raises:
            SourceNotFoundError: the source is neither our own nor registered (any more).
        """

    async def get_newest_publication(self) -> Publication | None:
        """Return the latest publication of any source."""

    async def list_current(self) -> list[Revision]:
        """Return the current revision of every item of every source."""

    async def get_revision(self, item_id: str, revision: str) -> Revision:
        """Return a revision, current or not.

        Raises:
            RevisionNotFoundError: never published.
        """

    async def list_rejections(self, source: str) -> list[Rejection]:
        """Return the rejections of the last fetch of a source."""


class SourceStore(Protocol):
    """Store of the registered sources."""

    async def add_source(self, source: NewSource) -> Source:
        """Register a source and queue its first fetch.

        Raises:
            SourceDuplicateError: the name is taken.
        """

    async def get_source(self, source_id: int) -> Source:
        """Return a source.

        Raises:
            SourceNotFoundError: not registered.
        """

    async def list_sources(self) -> list[Source]:
        """Return all sources by name."""

    async def update_source(self, source_id: int, changes: SourceChanges) -> Source:
        """Change a source; with another interval, its next fetch is due that much after the last one.

        Raises:
            SourceNotFoundError: not registered.
        """

    async def allows_host_needs(self, name: str) -> bool:
        """Return whether items of a source may have what they need of the host; False where it is not registered."""

    async def queue_fetch(self, source_id: int, *, stale_before: datetime) -> Source:
        """Mark a source as being fetched and queue the work.

        Raises:
            SourceNotFoundError: not registered.
            SourceBusyError: being fetched since after `stale_before`.
        """

    async def queue_due_fetches(self, *, stale_before: datetime) -> list[str]:
        """Queue the fetches whose time has come, each once over all processes; return the names of the sources.

        Fetches that were queued after `stale_before` are not queued again.
        """

    async def finish_fetch(
        self,
        source_id: int,
        *,
        error: str,
        item_count: int,
        rejected_count: int,
        rejected: Sequence[Rejection] = (),
    ) -> None:
        """Record how a fetch ended and when the next one is due.

        After a failure the items of the last good fetch stay, and their count; `rejected` replaces the rejections.
        """

    async def delete_source(self, source_id: int) -> None:
        """Delete a source and its current items; their revisions stay.

        Raises:
            SourceNotFoundError: not registered.
        """


class PictureStore(Protocol):
    """Store of the pictures of imported items, by source and location."""

    async def find_picture(self, source: str, location: str) -> Picture | None:
        """Return a picture, or None when there is none that can be served."""

    async def list_stored(self) -> Set[tuple[str, str]]:
        """Return source and location of every picture that can be served."""

    async def list_known(self, source: str, *, failed_after: datetime) -> Mapping[str, int]:
        """Return the sizes, by location, of the pictures that are stored or failed after a time."""

    async def set_picture(
        self, source: str, location: str, *, picture: Picture | None, error: str = ""
    ) -> None:
        """Store a picture, or the error of its fetch."""

    async def remove_others(self, source: str, locations: Collection[str]) -> None:
        """Remove the pictures of a source that are at none of these locations."""


class PictureFetcher(Protocol):
    """Reader of pictures at https addresses, under the rules of sources."""

    async def fetch_picture(self, url: str, *, limit: int) -> bytes:
        """Return the content of an address.

        Raises:
            SourceFetchError: cannot be read, is larger than `limit` bytes, or is at an address that is not accepted.
        """


class Importer(Protocol):
    """Conversion of a collection's files into items."""

    async def import_files(self, files: Mapping[str, bytes], *, source: str, kind: SourceFormat) -> Imported:
        """Return the items of all entries that can be imported, and rejections of the others.

        Raises:
            SourceFetchError: it takes too long or too much.
        """


class SourceFetcher(Protocol):
    """Reader of the files of a source."""

    async def fetch_files(self, location: str) -> Mapping[str, bytes]:
        """Return the files by path within the source.

        Raises:
            SourceFetchError: cannot be read, is too large, or is at a location that is not accepted.
        """


class StackFetcher(Protocol):
    """Reader of the stack files that a Portainer collection names in other repositories."""

    async def add_stacks(self, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Return the files of a collection with those of the repositories it names."""
