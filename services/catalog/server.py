"""Composition root: the one file that constructs things."""

from __future__ import annotations

from dataclasses import dataclass

from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.config import CatalogSettings
from services.catalog.convert.items import ItemMessages
from services.catalog.domain.host_permissions import HostPermissions
from services.catalog.handlers import CatalogHandlers, CatalogInternalHandlers
from services.catalog.jobs import FetchJobs, follow_publications, schedule_fetches
from services.catalog.sources.fetcher import Fetcher
from services.catalog.sources.own_files import OwnFiles
from services.catalog.sources.process_importer import ProcessImporter
from services.catalog.sources.source_files import FetchLimits
from services.catalog.sources.stack_reader import StackReader
from services.catalog.store import SqlCatalogStore, SqlPictureStore
from services.catalog.store.catalog_cache import CatalogCache
from services.catalog.store.tables import metadata
from services.catalog.usecases.reload_catalog import reload_catalog
from services.clients.apps.deployments import GrpcDeployments
from services.clients.auth.verification import ask_auth
from services.common.core.log import get_logger
from services.common.process import lifecycle
from services.common.process.lifecycle import Service
from services.common.process.runtime import Runtime, build_runtime

log = get_logger()


@dataclass(frozen=True, kw_only=True)
class CatalogParts:
    """The parts of a catalog process: `api` and `internal` answer RPCs, `jobs` fetches sources."""

    settings: CatalogSettings
    runtime: Runtime
    store: SqlCatalogStore
    catalog: CatalogCache
    files: OwnFiles
    api: CatalogHandlers
    internal: CatalogInternalHandlers
    jobs: FetchJobs


def build_parts(settings: CatalogSettings) -> CatalogParts:
    """Construct the parts; nothing runs yet. Call it within an event loop."""
    runtime = build_runtime("catalog", settings, tables=metadata, verify_tokens_by=ask_auth)
    store, pictures = SqlCatalogStore(runtime.db), SqlPictureStore(runtime.db)
    catalog, files, messages = CatalogCache(store), OwnFiles(settings.data), ItemMessages()
    # Rendered when something was published, not at the first request of a user.
    catalog.on_refresh(messages.prepare)
    limits = FetchLimits(seconds=settings.fetch_seconds, total_bytes=settings.fetch_megabytes * 1024 * 1024)
    fetcher = Fetcher(
        roots=settings.source_roots,
        allow_private=settings.allow_private_sources,
        ca_file=settings.source_ca_file,
        limits=limits,
    )
    permissions = HostPermissions(sources=store, host_needs=frozenset(settings.host_needs))
    return CatalogParts(
        settings=settings,
        runtime=runtime,
        store=store,
        catalog=catalog,
        files=files,
        api=CatalogHandlers(
            catalog=catalog,
            store=store,
            sources=store,
            pictures=pictures,
            files=files,
            deployments=GrpcDeployments(runtime.clients),
            messages=messages,
            wake=runtime.relay.wake,
            permissions=permissions,
        ),
        internal=CatalogInternalHandlers(
            catalog, store, files=files, pictures=pictures, permissions=permissions
        ),
        jobs=FetchJobs(
            catalog=store,
            sources=store,
            fetcher=fetcher,
            importer=ProcessImporter(),
            pictures=pictures,
            picture_fetcher=fetcher,
            stacks=StackReader(fetcher=fetcher),
        ),
    )


async def serve(settings: CatalogSettings) -> None:
    """Publish the files of the settings, load the catalog, and answer RPCs until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    # Before the first answer: an empty catalog would be cached by clients.
    await publish_own_files(parts)
    services = pb.DESCRIPTOR.services_by_name
    handlers = {services["CatalogService"]: parts.api, services["CatalogInternalService"]: parts.internal}
    background = [follow_publications(parts.catalog, parts.runtime.bus)]
    await lifecycle.serve(Service(runtime=parts.runtime, handlers=handlers, background=background))


async def work(settings: CatalogSettings) -> None:
    """Fetch sources as they are queued, and queue those that are due, until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    parts.jobs.start(parts.runtime.bus)
    fetches = schedule_fetches(parts.store, parts.runtime.relay.wake)
    await lifecycle.work(Service(runtime=parts.runtime, background=[fetches]))


async def publish_own_files(parts: CatalogParts) -> None:
    """Publish the items of our own folder and load the catalog into memory."""
    result = await reload_catalog(parts.catalog, parts.store, files=parts.files)
    for rejection in result.rejected:
        log.error("catalog_file_rejected", file=rejection.file, error=rejection.error)
