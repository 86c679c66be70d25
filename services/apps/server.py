"""Composition root: the one file that constructs things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.config import AppsSettings
from services.apps.convert.terminal import TerminalFrames
from services.apps.events.hub import EventHub
from services.apps.events.stream import Hints, Watcher
from services.apps.handlers import AppsHandlers, AppsInternalHandlers
from services.apps.handlers.app_renderer import AppRenderer
from services.apps.jobs import (
    follow_backup_alerts,
    follow_backups,
    follow_departures,
    list_periodic_work,
    measure_apps,
    refresh_catalog_updates,
)
from services.apps.store import SqlAppStore, operation_queue
from services.apps.store.tables import metadata, operation_tables
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.apps.usecases.container_metrics import ContainerMetrics
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.user_quotas import UserQuotas
from services.apps.websockets import WebSocketServer
from services.apps.workflows import build_workflows, plan_with
from services.apps.workflows.steps.tools import Tools
from services.clients.auth.client import GrpcUsers
from services.clients.auth.verification import ask_auth
from services.clients.backups.client import GrpcBackups
from services.clients.catalog.client import GrpcCatalog
from services.clients.inventory.client import GrpcContainers
from services.clients.inventory.terminals import Terminals
from services.common.operations.model import Workflow
from services.common.operations.store import SqlOperationStore
from services.common.process import lifecycle
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import Runtime, build_runtime
from services.common.rpc.handlers import make_duplex
from services.common.rpc.server_context import ServerContext


@dataclass(frozen=True, kw_only=True)
class AppsParts:
    """Parts that server and worker have in common."""

    runtime: Runtime
    hints: Hints
    store: SqlAppStore
    backups: GrpcBackups
    workflows: dict[str, Workflow[Any]]
    dependencies: AppDependencies
    terminals: Terminals


def build_parts(settings: AppsSettings) -> AppsParts:
    """Construct what server and worker share; call it within an event loop."""
    runtime = build_runtime("apps", settings, tables=metadata, verify_tokens_by=ask_auth)
    hints = Hints(runtime.bus)
    store = SqlAppStore(runtime.db, runtime.sealer, notify=hints.notify)
    containers, backups = GrpcContainers(runtime.clients), GrpcBackups(runtime.clients)
    # Auth has both: whether an account exists, and its quota.
    users = GrpcUsers(runtime.clients)
    # The server needs them too: a new operation lists the steps that it will have.
    workflows = build_workflows(Tools(containers, store), backups, upgrades=store)
    dependencies = AppDependencies(
        store=store,
        containers=containers,
        catalog=GrpcCatalog(runtime.clients),
        backups=backups,
        users=users,
        quotas=UserQuotas(users, settings.default_quota),
        plan=plan_with(workflows),
        orphan_grace=settings.orphan_grace,
    )
    return AppsParts(
        runtime=runtime,
        hints=hints,
        store=store,
        backups=backups,
        workflows=workflows,
        dependencies=dependencies,
        terminals=containers,
    )


async def serve(settings: AppsSettings) -> None:
    """Answer RPCs until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    runtime, dependencies = parts.runtime, parts.dependencies
    watcher = Watcher(parts.store, runtime.bus)
    updates = CatalogUpdates(dependencies.catalog)
    renderer = AppRenderer(parts.store, updates)
    hub = EventHub(parts.store, runtime.bus, render_app=renderer.render_app)
    public = AppsHandlers(
        dependencies=dependencies,
        relay=runtime.relay,
        renderer=renderer,
        watcher=watcher,
        hub=hub,
        metrics=ContainerMetrics(dependencies.containers),
        terminals=parts.terminals,
    )
    internal = AppsInternalHandlers(dependencies=dependencies, relay=runtime.relay)
    names = pb.DESCRIPTOR.services_by_name
    background: list[Background] = [
        parts.hints.run(),
        # In each replica: a stream is served from the memory of the process that the client is connected to.
        watcher.run(),
        hub.run(),
        refresh_catalog_updates(updates, runtime.bus),
    ]
    handlers = {names["AppsService"]: public, names["AppsInternalService"]: internal}

    async def measure() -> None:
        await measure_apps(parts.store)

    await lifecycle.serve(
        Service(
            runtime=runtime,
            handlers=handlers,
            background=background,
            measures=(measure,),
            make_doors=lambda context: list_doors(settings, public, context=context),
        )
    )


def list_doors(settings: AppsSettings, handlers: AppsHandlers, *, context: ServerContext) -> list[Background]:
    """Return the server of WebSockets, where there is to be one."""
    if not settings.websocket_listen:
        return []
    method = pb.DESCRIPTOR.services_by_name["AppsService"].methods_by_name["AttachTerminal"]
    server = WebSocketServer(
        listen=settings.websocket_listen,
        method=method,
        duplex=make_duplex(method, handlers.attach_terminal, context=context),
        dialect=TerminalFrames(),
        peers=context.peers,
        service="apps",
        tls_dir=settings.tls_dir,
    )
    return [server.run()]


async def work(settings: AppsSettings) -> None:
    """Execute operations until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    runtime, store = parts.runtime, parts.store
    operations = SqlOperationStore(
        runtime.db, operation_tables, apply=store.apply, log=store.log, limits=settings.limits
    )
    execution = operation_queue.execute(
        runtime.bus,
        operations,
        workflows=parts.workflows,
        on_message=runtime.relay.wake,
        concurrency=settings.worker_concurrency,
    )
    follow_departures(runtime.bus, store, relay=runtime.relay)
    follow_backups(runtime.bus, store, backups=parts.backups)
    follow_backup_alerts(runtime.bus, store)
    background: list[Background] = [
        parts.hints.run(),
        execution,
        *list_periodic_work(parts.dependencies, store, backups=parts.backups),
    ]
    await lifecycle.work(Service(runtime=runtime, background=background))
