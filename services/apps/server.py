"""Composition root: the one file that constructs things."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.clients import GrpcBackups, GrpcCatalog, GrpcUsers
from services.apps.config import AppsSettings
from services.apps.containers import GrpcContainers
from services.apps.domain.reconciling import Reconciler
from services.apps.domain.usecases import World
from services.apps.handlers import AppsHandlers, AppsInternalHandlers
from services.apps.jobs import (
    follow_departures,
    remove_values_of_earlier_releases,
    run_schedules,
    wake_on_jobs,
)
from services.apps.metrics import Metrics
from services.apps.newest import NewestRevisions
from services.apps.showing import Showcase
from services.apps.store import SqlAppStore
from services.apps.tables import idempotency, inbox, operation_tables, outbox
from services.apps.watching import Hints, Watcher
from services.apps.workflows import build_workflows
from services.apps.workflows.tools import Tools
from services.common.messaging.outbox import Relay
from services.common.operations.engine import Engine
from services.common.operations.model import Workflow
from services.common.operations.store import SqlOperationStore
from services.common.process.lifecycle import serve, work
from services.common.process.runtime import Runtime, build_runtime


@dataclass(frozen=True)
class AppsParts:
    """What server and worker have in common."""

    runtime: Runtime
    hints: Hints
    store: SqlAppStore
    containers: GrpcContainers
    backups: GrpcBackups
    workflows: dict[str, Workflow]
    relay: Relay
    reconciler: Reconciler


def build_parts(settings: AppsSettings) -> AppsParts:
    """Construct what server and worker share; call it within an event loop."""
    runtime = build_runtime("apps", settings)
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
        relay=Relay(runtime.db, runtime.bus, outbox, inbox=inbox),
        reconciler=Reconciler(store, containers, settings.orphan_grace),
    )


async def serve_apps(settings: AppsSettings) -> None:
    """Answer RPCs until told to end."""
    parts = build_parts(settings)
    clients = parts.runtime.clients
    users = GrpcUsers(clients, settings.default_quota)
    world = World(
        parts.store,
        parts.containers,
        GrpcCatalog(clients),
        plans_of(parts.workflows),
        users,
        users,
    )
    watcher = Watcher(parts.store, parts.runtime.bus)
    newest = NewestRevisions(world.catalog)
    public = AppsHandlers(
        parts.store,
        world,
        watcher,
        parts.reconciler,
        parts.relay,
        parts.backups,
        newest,
        Showcase(parts.store, newest),
        Metrics(parts.containers),
    )
    internal = AppsInternalHandlers(parts.store, world, parts.relay)
    names = pb.DESCRIPTOR.services_by_name
    await serve(
        parts.runtime,
        services=[(names["AppsService"], public), (names["AppsInternalService"], internal)],
        outbox=outbox,
        idempotency=idempotency,
        relay=parts.relay,
        background=[parts.hints.run(), watcher.run(), newest.follow(parts.runtime.bus)],
    )


async def work_apps(settings: AppsSettings) -> None:
    """Carry out operations until told to end."""
    parts = build_parts(settings)
    operations = SqlOperationStore(
        parts.runtime.db, operation_tables, parts.store.apply, parts.store.log, limits=settings.limits
    )
    engine = Engine(
        operations,
        parts.workflows,
        f"{socket.gethostname()}-{os.getpid()}",
        on_message=parts.relay.wake,
    )
    wake = asyncio.Event()
    wake_on_jobs(parts.runtime.bus, wake)
    follow_departures(parts.runtime.bus, parts.store, parts.relay)
    await work(
        parts.runtime,
        relay=parts.relay,
        background=[
            parts.hints.run(),
            engine.run_forever(wake, concurrency=settings.worker_concurrency),
            run_schedules(parts.store, parts.reconciler, parts.backups, containers=parts.containers),
            remove_values_of_earlier_releases(parts.store, GrpcCatalog(parts.runtime.clients)),
        ],
    )


def plans_of(workflows: dict[str, Workflow]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Names and descriptions of the steps of each kind."""
    return {
        kind: tuple((step.name, step.description) for step in workflow.steps)
        for kind, workflow in workflows.items()
    }
