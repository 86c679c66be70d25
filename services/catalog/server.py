"""Composition root: the one file that constructs things."""

from __future__ import annotations

from dataclasses import dataclass

from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.config import CatalogSettings
from services.catalog.fetching import Fetcher
from services.catalog.handlers import CatalogHandlers, CatalogInternalHandlers, reload_files
from services.catalog.holder import CatalogHolder
from services.catalog.importing import ProcessImporter
from services.catalog.jobs import FetchJobs, follow_publications
from services.catalog.remote import RemoteNodes
from services.catalog.store import SqlCatalogStore
from services.catalog.tables import idempotency, inbox, outbox
from services.catalog.unpacking import FetchLimits
from services.common.core.log import get_logger
from services.common.db.database import Database, create_engine
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import Relay
from services.common.process import lifecycle as process
from services.common.process.runtime import build_runtime
from services.common.rpc.client import Clients

log = get_logger()


@dataclass(frozen=True)
class CatalogParts:
    """The parts of a catalog process: `api` and `internal` answer RPCs, `jobs` does the work."""

    settings: CatalogSettings
    db: Database
    bus: Bus
    store: SqlCatalogStore
    holder: CatalogHolder
    relay: Relay
    api: CatalogHandlers
    internal: CatalogInternalHandlers
    jobs: FetchJobs


def build_catalog(
    settings: CatalogSettings,
    *,
    db: Database | None = None,
    bus: Bus | None = None,
    clients: Clients | None = None,
) -> CatalogParts:
    """Construct the parts; nothing runs yet. Call it within an event loop."""
    db = db or Database(create_engine(settings.database_url, service="catalog"))
    bus = bus or Bus(settings.nats_url, name="catalog", replicas=settings.nats_replicas)
    store = SqlCatalogStore(db)
    holder = CatalogHolder(store)
    limits = FetchLimits(seconds=settings.fetch_seconds, total_bytes=settings.fetch_megabytes * 1024 * 1024)
    fetcher = Fetcher(
        roots=settings.source_roots,
        allow_private=settings.allow_private_sources,
        ca_file=settings.source_ca_file,
        limits=limits,
    )
    relay = Relay(db, bus, outbox, inbox=inbox)
    return CatalogParts(
        settings=settings,
        db=db,
        bus=bus,
        store=store,
        holder=holder,
        relay=relay,
        api=CatalogHandlers(
            holder, store, store, nodes=RemoteNodes(clients), wake=relay.wake, data=settings.data
        ),
        internal=CatalogInternalHandlers(holder, store, host_needs=settings.host_needs),
        jobs=FetchJobs(store, store, fetcher, ProcessImporter()),
    )


async def serve(settings: CatalogSettings) -> None:
    """Publish our own files, have the catalog in memory, and answer RPCs until told to end."""
    runtime = build_runtime("catalog", settings)
    catalog = build_catalog(settings, db=runtime.db, bus=runtime.bus, clients=runtime.clients)
    await publish_own_files(catalog)
    services = pb.DESCRIPTOR.services_by_name
    await process.serve(
        runtime,
        services=[
            (services["CatalogService"], catalog.api),
            (services["CatalogInternalService"], catalog.internal),
        ],
        outbox=outbox,
        idempotency=idempotency,
        relay=catalog.relay,
        background=[follow_publications(catalog.holder, catalog.bus)],
    )


async def work(settings: CatalogSettings) -> None:
    """Fetch sources as they are queued until told to end."""
    runtime = build_runtime("catalog", settings)
    catalog = build_catalog(settings, db=runtime.db, bus=runtime.bus)
    catalog.jobs.start(catalog.bus)
    await process.work(runtime, background=[], relay=catalog.relay)


async def publish_own_files(catalog: CatalogParts) -> None:
    """Publish the items of our own folder and have the catalog in memory."""
    result = await reload_files(catalog.store, catalog.settings.data)
    for rejection in result.rejected:
        log.error("catalog_file_rejected", file=rejection.file, error=rejection.error)
    await catalog.holder.refresh()
