"""Composition root: the one file that constructs things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.config import BackupsSettings
from services.backups.domain.interfaces import Apps, Containers
from services.backups.handlers import BackupsHandlers, BackupsInternalHandlers
from services.backups.jobs import BackupJobs, plan_comparison, plan_tidying
from services.backups.remote import RemoteApps, RemoteContainers
from services.backups.store import SqlBackupStore, build_operation_store, operation_queue
from services.backups.tables import metadata
from services.backups.workflows import create_backup, delete_backup, restore_backup, restore_beside
from services.common.operations.model import Workflow
from services.common.process import lifecycle
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import Runtime, build_runtime


@dataclass(frozen=True)
class BackupsParts:
    """What both processes of the service share."""

    runtime: Runtime
    apps: Apps
    containers: Containers
    workflows: Mapping[str, Workflow[Any]]
    store: SqlBackupStore


def build_workflows(apps: Apps, containers: Containers) -> dict[str, Workflow[Any]]:
    """The workflows, by kind."""
    return {
        create_backup.KIND: create_backup.build_workflow(apps, containers),
        restore_backup.KIND: restore_backup.build_workflow(apps, containers),
        restore_beside.KIND: restore_beside.build_workflow(apps),
        delete_backup.KIND: delete_backup.build_workflow(containers),
    }


def build_parts(settings: BackupsSettings) -> BackupsParts:
    """Construct the parts; nothing runs yet. Call it within an event loop."""
    runtime = build_runtime("backups", settings, tables=metadata)
    apps, containers = RemoteApps(runtime.clients), RemoteContainers(runtime.clients)
    workflows = build_workflows(apps, containers)
    store = SqlBackupStore(runtime.db, workflows, on_message=runtime.relay.wake)
    return BackupsParts(runtime, apps, containers, workflows, store)


async def serve(settings: BackupsSettings) -> None:
    """Answer RPCs until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    service = pb.DESCRIPTOR.services_by_name
    handlers = {
        service["BackupsService"]: BackupsHandlers(parts.store, parts.apps, parts.containers),
        service["BackupsInternalService"]: BackupsInternalHandlers(parts.store, parts.apps),
    }
    await lifecycle.serve(Service(runtime=parts.runtime, handlers=handlers))


async def work(settings: BackupsSettings) -> None:
    """Execute operations until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    runtime = parts.runtime
    BackupJobs(parts.store).start(runtime.bus)
    background: list[Background] = [
        operation_queue.execute(
            runtime.bus,
            build_operation_store(runtime.db, settings.limits),
            workflows=parts.workflows,
            on_message=runtime.relay.wake,
            concurrency=settings.concurrency,
        ),
        plan_tidying(parts.store, parts.apps),
        plan_comparison(parts.store, parts.containers),
    ]
    await lifecycle.work(Service(runtime=runtime, background=background))
