"""A replica of the catalog over a real store, with a simulated source and simulated deployments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from services.catalog.convert.items import ItemMessages
from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.host_permissions import HostPermissions
from services.catalog.domain.interfaces import PublishedCatalog
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.handlers import CatalogHandlers, CatalogInternalHandlers
from services.catalog.sources.own_files import OwnFiles
from services.catalog.sources.process_importer import ProcessImporter
from services.catalog.store import SqlCatalogStore, SqlPictureStore
from services.catalog.store.catalog_cache import CatalogCache
from services.catalog.workflows.fetch_source import fetch_source
from services.clients.apps.values import PlannedDeployment, WantedDeployment
from services.common.core.errors import UnavailableError
from services.common.db.database import Database
from services.common.identity.tokens import User
from services.common.rpc.call import Call


class FakeSourceFetcher:
    """A source that is in memory; implements `SourceFetcher`."""

    def __init__(self) -> None:
        self.files: Mapping[str, bytes] = {}
        self.error = ""

    async def fetch_files(self, location: str) -> Mapping[str, bytes]:
        if self.error:
            raise SourceFetchError(f"{location} {self.error}")
        return self.files


class FakeDeployments:
    """One node with room for 4 GB; a container has 2 GB unless the settings say otherwise."""

    def __init__(self) -> None:
        self.free = 4096
        self.is_down = False

    async def plan_deployment(self, wanted: WantedDeployment, *, user: User | None) -> PlannedDeployment:
        if self.is_down:
            raise UnavailableError("apps does not answer")
        memory = int(wanted.config.get("memory", 2048))
        place: dict[str, Any] = {"host_id": 1, "node": wanted.node or "pve1"}
        if memory > self.free:
            place = {"placement_message": f"no node has {memory} MB"}
        runtime = str(wanted.config.get("runtime", "compose"))
        return PlannedDeployment(runtime=runtime, memory=memory, cores=2, disk_size=8, swap=512, **place)


class FixedCatalog:
    """A catalog in which nothing else is ever published; implements `PublishedCatalog`."""

    def __init__(self, index: CatalogIndex) -> None:
        self.index = index

    async def find_index(self, item_id: str) -> CatalogIndex:
        return self.index

    async def refresh(self) -> bool:
        return False


def make_call(**metadata: str) -> Call:
    """Return a call with metadata: `if_none_match="x"` is the header `if-none-match: x`."""
    return Call("/x", {name.replace("_", "-"): value for name, value in metadata.items()})


class CatalogReplica:
    """The handlers of a replica with its own memory.

    Args:
        db: the database that replicas share.
        data: folder of item files.
        catalog: None for what the database has.
        host_needs: ids of items that may use the host, or `<source>.*`.
    """

    def __init__(
        self,
        db: Database,
        data: Path,
        *,
        catalog: PublishedCatalog | None = None,
        host_needs: Collection[str] = (),
    ) -> None:
        self.store = SqlCatalogStore(db)
        messages, cache = ItemMessages(), CatalogCache(self.store)
        cache.on_refresh(messages.prepare)
        self.catalog = catalog or cache
        self.deployments = FakeDeployments()
        self.fetcher = FakeSourceFetcher()
        self.woken = 0
        permissions = HostPermissions(sources=self.store, host_needs=host_needs)
        self.api = CatalogHandlers(
            catalog=self.catalog,
            store=self.store,
            sources=self.store,
            pictures=SqlPictureStore(db),
            files=OwnFiles(data),
            deployments=self.deployments,
            messages=messages,
            wake=self.wake,
            permissions=permissions,
        )
        self.internal = CatalogInternalHandlers(
            self.catalog,
            self.store,
            files=OwnFiles(data),
            pictures=SqlPictureStore(db),
            permissions=permissions,
        )

    def wake(self) -> None:
        self.woken += 1

    async def fetch(self, source_id: int) -> None:
        """Fetch a source as the worker does."""
        await fetch_source(
            self.store, self.store, fetcher=self.fetcher, importer=ProcessImporter(), source_id=source_id
        )
        await self.catalog.refresh()
