"""Composition root: the only module that constructs the parts of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.config import BackupsSettings
from services.backups.handlers import BackupsHandlers, BackupsInternalHandlers
from services.backups.jobs import (
    BackupJobs,
    plan_cleanup,
    plan_comparison,
    plan_restore_tests,
    plan_retention,
    plan_scheduled_backups,
    plan_storage_reading,
)
from services.backups.store import (
    SqlArchiveCheckStore,
    SqlBackupSettingsStore,
    SqlBackupStore,
    SqlPolicyStore,
    SqlRestoreTestStore,
    SqlStorageStore,
    build_operation_store,
    operation_queue,
)
from services.backups.store.measures import measure_backups
from services.backups.store.tables import metadata
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.list_overdue_backups import list_overdue_backups
from services.backups.workflows import (
    check_backup,
    create_backup,
    delete_backup,
    restore_backup,
    restore_beside,
    test_backup,
)
from services.clients.apps.client import GrpcApps
from services.clients.apps.interface import Apps
from services.clients.auth.client import GrpcUsers
from services.clients.auth.verification import ask_auth
from services.clients.inventory.client import GrpcContainers
from services.clients.inventory.interface import Containers
from services.common.core.clock import now
from services.common.core.telemetry.metrics import note_backups
from services.common.operations.model import Workflow
from services.common.process import lifecycle
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import Runtime, build_runtime


@dataclass(frozen=True)
class BackupsParts:
    """Parts that the server and the worker share."""

    runtime: Runtime
    store: SqlBackupStore
    dependencies: BackupDependencies
    workflows: Mapping[str, Workflow[Any]]


def build_workflows(
    apps: Apps,
    containers: Containers,
    *,
    test_limit: timedelta = test_backup.LIMIT,
    test_pace: test_backup.RestoreTestPace | None = None,
) -> dict[str, Workflow[Any]]:
    """Build the workflows, by kind."""
    return {
        test_backup.KIND: test_backup.build_workflow(containers, limit=test_limit, pace=test_pace),
        create_backup.KIND: create_backup.build_workflow(apps, containers),
        restore_backup.KIND: restore_backup.build_workflow(apps, containers),
        restore_beside.KIND: restore_beside.build_workflow(apps),
        delete_backup.KIND: delete_backup.build_workflow(containers),
        check_backup.KIND: check_backup.build_workflow(containers),
    }


def build_parts(settings: BackupsSettings) -> BackupsParts:
    """Construct the parts without starting them; call it within an event loop."""
    runtime = build_runtime("backups", settings, tables=metadata, verify_tokens_by=ask_auth)
    apps, containers = GrpcApps(runtime.clients), GrpcContainers(runtime.clients)
    options = settings.restore_test_options
    workflows = build_workflows(apps, containers, test_limit=options.limit)
    store = SqlBackupStore(runtime.db, workflows, on_message=runtime.relay.wake)
    # Stores wake the relay after their commits: what they leave in the outbox is published at once.
    policies = SqlPolicyStore(runtime.db, on_message=runtime.relay.wake)
    return BackupsParts(
        runtime=runtime,
        store=store,
        dependencies=BackupDependencies(
            store,
            apps,
            containers,
            policies=policies,
            users=GrpcUsers(runtime.clients),
            tests=SqlRestoreTestStore(runtime.db, workflows, on_message=runtime.relay.wake),
            storages=SqlStorageStore(runtime.db),
            checks=SqlArchiveCheckStore(runtime.db, workflows, on_message=runtime.relay.wake),
            settings=SqlBackupSettingsStore(runtime.db),
            test_options=options,
        ),
        workflows=workflows,
    )


async def serve(settings: BackupsSettings) -> None:
    """Answer RPCs until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    service = pb.DESCRIPTOR.services_by_name
    handlers = {
        service["BackupsService"]: BackupsHandlers(parts.dependencies),
        service["BackupsInternalService"]: BackupsInternalHandlers(parts.dependencies),
    }

    async def measure() -> None:
        # Computed in the server: a worker that has died must not make nothing overdue.
        overdue = await list_overdue_backups(parts.dependencies.policies, now=now())
        count = len({one.app_id for one in overdue})
        note_backups(await measure_backups(parts.runtime.db, overdue=count))

    await lifecycle.serve(Service(runtime=parts.runtime, handlers=handlers, measures=(measure,)))


async def work(settings: BackupsSettings) -> None:
    """Execute operations until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    runtime = parts.runtime
    BackupJobs(parts.store, parts.dependencies.policies).start(runtime.bus)
    background: list[Background] = [
        operation_queue.execute(
            runtime.bus,
            build_operation_store(runtime.db, settings.limits),
            workflows=parts.workflows,
            on_message=runtime.relay.wake,
            concurrency=settings.concurrency,
        ),
        plan_cleanup(parts.store, parts.dependencies.apps),
        plan_comparison(parts.store, parts.dependencies.containers),
        plan_scheduled_backups(parts.dependencies),
        plan_retention(parts.dependencies),
        plan_storage_reading(parts.dependencies),
        *plan_restore_tests(parts.dependencies),
    ]
    await lifecycle.work(Service(runtime=runtime, background=background))
