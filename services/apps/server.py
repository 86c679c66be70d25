"""Composition root: the one file that constructs things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.clients import GrpcBackups, GrpcCatalog, GrpcUsers
from services.apps.config import AppsSettings
from services.apps.handlers import AppsHandlers, AppsInternalHandlers
from services.apps.handlers.app_renderer import AppRenderer
from services.apps.handlers.event_stream import Hints, Watcher
from services.apps.jobs import follow_departures, list_periodic_work, refresh_catalog_updates
from services.apps.store import SqlAppStore, operation_queue
from services.apps.store.tables import metadata, operation_tables
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.apps.usecases.container_metrics import Metrics
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.reconcile_apps import Reconciler
from services.apps.workflows import build_workflows, plan_with
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.client import GrpcContainers
from services.common.operations.model import Workflow
from services.common.operations.store import SqlOperationStore
from services.common.process import lifecycle
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import Runtime, build_runtime


@dataclass(frozen=True)
class AppsParts:
    """What server and worker have in common."""

    runtime: Runtime
    hints: Hints
    store: SqlAppStore
    containers: GrpcContainers
    backups: GrpcBackups
    workflows: dict[str, Workflow[Any]]
    reconciler: Reconciler


def build_parts(settings: AppsSettings) -> AppsParts:
    """Construct what server and worker share; call it within an event loop."""
    runtime = build_runtime("apps", settings, tables=metadata)
    hints = Hints(runtime.bus)
    store = SqlAppStore(runtime.db, runtime.sealer, notify=hints.notify)
    containers = GrpcContainers(runtime.clients)
    backups = GrpcBackups(runtime.clients)
    return AppsParts(
        runtime=runtime,
        hints=hints,
        store=store,
        containers=containers,
        backups=backups,
        workflows=build_workflows(Tools(containers, store), backups, store),
        reconciler=Reconciler(store, containers, settings.orphan_grace),
    )


async def serve(settings: AppsSettings) -> None:
    """Answer RPCs until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    clients = parts.runtime.clients
    users = GrpcUsers(clients, settings.default_quota)
    world = AppDependencies(
        parts.store,
        parts.containers,
        GrpcCatalog(clients),
        plan_with(parts.workflows),
        users,
        users,
    )
    watcher = Watcher(parts.store, parts.runtime.bus)
    newest = CatalogUpdates(world.catalog)
    public = AppsHandlers(
        parts.store,
        world,
        watcher,
        parts.reconciler,
        parts.runtime.relay,
        parts.backups,
        newest,
        AppRenderer(parts.store, newest),
        Metrics(parts.containers),
    )
    internal = AppsInternalHandlers(parts.store, world, parts.runtime.relay)
    names = pb.DESCRIPTOR.services_by_name
    background: list[Background] = [
        parts.hints.run(),
        watcher.run(),
        refresh_catalog_updates(newest, parts.runtime.bus),
    ]
    handlers = {names["AppsService"]: public, names["AppsInternalService"]: internal}
    await lifecycle.serve(Service(runtime=parts.runtime, handlers=handlers, background=background))


async def work(settings: AppsSettings) -> None:
    """Execute operations until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    store = SqlOperationStore(
        parts.runtime.db,
        operation_tables,
        apply=parts.store.apply,
        log=parts.store.log,
        limits=settings.limits,
    )
    execution = operation_queue.execute(
        parts.runtime.bus,
        store,
        workflows=parts.workflows,
        on_message=parts.runtime.relay.wake,
        concurrency=settings.worker_concurrency,
    )
    follow_departures(parts.runtime.bus, parts.store, parts.runtime.relay)
    background: list[Background] = [
        parts.hints.run(),
        execution,
        *list_periodic_work(
            parts.store,
            parts.reconciler,
            backups=parts.backups,
            containers=parts.containers,
            catalog=GrpcCatalog(parts.runtime.clients),
        ),
    ]
    await lifecycle.work(Service(runtime=parts.runtime, background=background))
