"""Composition root: the one file that constructs things."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.config import BackupsSettings
from services.backups.domain.interfaces import Apps, Containers
from services.backups.handlers import BackupsHandlers, BackupsInternalHandlers
from services.backups.jobs import BackupJobs, tidy_up
from services.backups.remote import RemoteApps, RemoteContainers
from services.backups.store import SqlBackupStore, build_operation_store
from services.backups.tables import idempotency, inbox, outbox
from services.backups.workflows import create_backup, delete_backup, restore_backup, restore_beside
from services.common.messaging.outbox import Relay
from services.common.operations.engine import Engine
from services.common.operations.model import Workflow
from services.common.process import lifecycle as process
from services.common.process.runtime import Runtime, build_runtime


@dataclass(frozen=True)
class BackupsParts:
    """What both processes of the service share."""

    runtime: Runtime
    relay: Relay
    apps: Apps
    containers: Containers
    workflows: Mapping[str, Workflow]
    store: SqlBackupStore


def build_workflows(apps: Apps, containers: Containers) -> dict[str, Workflow]:
    """The workflows, by kind."""
    return {
        create_backup.KIND: create_backup.build_workflow(apps, containers),
        restore_backup.KIND: restore_backup.build_workflow(apps, containers),
        restore_beside.KIND: restore_beside.build_workflow(apps),
        delete_backup.KIND: delete_backup.build_workflow(containers),
    }


def build_parts(settings: BackupsSettings) -> BackupsParts:
    """Construct the parts; nothing runs yet. Call it within an event loop."""
    runtime = build_runtime("backups", settings)
    relay = Relay(runtime.db, runtime.bus, outbox, inbox=inbox)
    apps, containers = RemoteApps(runtime.clients), RemoteContainers(runtime.clients)
    workflows = build_workflows(apps, containers)
    store = SqlBackupStore(runtime.db, workflows, on_message=relay.wake)
    return BackupsParts(runtime, relay, apps, containers, workflows, store)


async def serve(settings: BackupsSettings) -> None:
    """Answer RPCs until told to end."""
    parts = build_parts(settings)
    service = pb.DESCRIPTOR.services_by_name
    await process.serve(
        parts.runtime,
        services=[
            (service["BackupsService"], BackupsHandlers(parts.store, parts.apps, parts.containers)),
            (service["BackupsInternalService"], BackupsInternalHandlers(parts.store, parts.apps)),
        ],
        outbox=outbox,
        relay=parts.relay,
        idempotency=idempotency,
    )


async def work(settings: BackupsSettings) -> None:
    """Carry out operations until told to end."""
    parts = build_parts(settings)
    wake = asyncio.Event()
    BackupJobs(parts.store, wake).start(parts.runtime.bus)
    operations = build_operation_store(parts.runtime.db, settings.limits)
    engine = Engine(
        operations,
        parts.workflows,
        f"{socket.gethostname()}-{os.getpid()}",
        on_message=parts.relay.wake,
    )
    await process.work(
        parts.runtime,
        background=[
            engine.run_forever(wake, concurrency=settings.concurrency),
            tidy_up(parts.store, parts.apps),
        ],
        relay=parts.relay,
    )
