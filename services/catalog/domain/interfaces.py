"""What the domain needs of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.catalog.domain.entities import Revision
from services.catalog.domain.faults import Rejection
from services.catalog.domain.importers.collection import Imported
from services.catalog.domain.item import Record
from services.catalog.domain.sources import NewSource, Source, SourceFormat


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


class CatalogStore(Protocol):
    """Keeps what was published. Revisions are never changed or removed."""

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
        """Return what the last publication of a source left out."""


class SourceStore(Protocol):
    """Keeps the registered sources."""

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

    async def queue_fetch(self, source_id: int, *, stale_before: datetime) -> Source:
        """Mark a source as being fetched and queue the work.

        Raises:
            SourceNotFoundError: not registered.
            SourceBusyError: being fetched since after `stale_before`.
        """

    async def finish_fetch(self, source_id: int, *, error: str, item_count: int, rejected_count: int) -> None:
        """Note how a fetch ended; after a failure the counts of the last good one stay."""

    async def delete_source(self, source_id: int) -> None:
        """Forget a source and the items it has now; their revisions stay.

        Raises:
            SourceNotFoundError: not registered.
        """


@dataclass(frozen=True, slots=True)
class CatalogPlace:
    """A Proxmox host and node; without them, `message` says why there is no place."""

    host_id: int | None
    node: str
    message: str = ""


class Nodes(Protocol):
    """Knows where containers can go."""

    async def find_place(self, asked: CatalogPlace, *, memory: int, disk: int, oci: bool) -> CatalogPlace:
        """Return where a container would go: MB, GB; the host and node asked about, or any.

        Raises:
            DomainError: there is no place, or nobody knows.
        """


class Importer(Protocol):
    """Makes items of a collection's files."""

    async def import_files(self, files: Mapping[str, bytes], *, source: str, kind: SourceFormat) -> Imported:
        """Import all that can be, and say why for the rest.

        Raises:
            SourceFetchError: it takes too long or too much.
        """


class SourceFetcher(Protocol):
    """Reads the files of a source from wherever it is."""

    async def fetch_files(self, location: str) -> Mapping[str, bytes]:
        """Return the files by path within the source.

        Raises:
            SourceFetchError: cannot be read, is too large, or is somewhere it must not be.
        """
