"""Apps, backups and inventory wired in one process, as their servers wire them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.apps.handlers import AppsInternalHandlers
from services.apps.store import SqlAppStore
from services.apps.store import tables as app_tables
from services.apps.usecases.dependencies import AppDependencies
from services.apps.workflows import build_workflows as build_app_workflows
from services.apps.workflows import plan_with
from services.apps.workflows.steps.tools import Tools
from services.backups.handlers import BackupsHandlers, BackupsInternalHandlers
from services.backups.server import build_workflows as build_backup_workflows
from services.backups.store import (
    SqlArchiveCheckStore,
    SqlBackupSettingsStore,
    SqlBackupStore,
    SqlPolicyStore,
    SqlRestoreTestStore,
    SqlStorageStore,
)
from services.backups.store import tables as backup_tables
from services.backups.store.changes import apply_change, write_line
from services.backups.usecases.context import BackupDependencies
from services.backups.workflows import test_backup
from services.clients.apps.client import GrpcApps
from services.clients.backups.client import GrpcBackups
from services.clients.inventory.client import GrpcContainers
from services.common.db.database import Database, create_engine
from services.common.identity.keys import Sealer
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import Relay
from services.inventory.domain.entities import NewHost, Secrets
from services.inventory.jobs.abandoned_reservations import AbandonedReservations
from tests.failpoints.platform import OWNER, SERVICES, Desk, Platform
from tests.failpoints.wire import LocalClients
from tests.fakes.auth import FakeUsers
from tests.fakes.catalog import FakeCatalog
from tests.fakes.inline import InlineDatabase
from tests.fakes.instant_proxmox import InstantContainerAccess, InstantContainerHandlers, InstantFleet
from tests.fakes.inventory import InventoryParts, build_parts
from tests.pvesim.instant import InstantProxmox


@asynccontextmanager
async def open_platform(
    saved: Path,
    folder: Path,
    proxmox: InstantProxmox,
    *,
    access: type[InstantContainerAccess] = InstantContainerAccess,
    catalog: FakeCatalog | None = None,
) -> AsyncIterator[Platform]:
    """A platform in `folder` with copies of the databases in `saved`."""
    databases = {service: _open_database(saved, folder, service) for service in SERVICES}
    clients, catalog = LocalClients(), catalog or FakeCatalog()
    parts = await _wire_inventory(clients, databases["inventory"], proxmox, access=access)
    apps, dependencies, apps_desk = _wire_apps(clients, databases["apps"], catalog)
    backups, backups_desk = _wire_backups(clients, databases["backups"])
    try:
        yield Platform(
            proxmox,
            clients,
            apps,
            dependencies,
            catalog,
            BackupsHandlers(backups),
            backups,
            {"apps": apps_desk, "backups": backups_desk},
            databases,
            AbandonedReservations(clients, parts.vmids, addresses=parts.addresses),
            parts.access,
            parts.fleet,
        )
    finally:
        parts.fleet.close()
        for database in databases.values():
            await database.close()


async def _wire_inventory(
    clients: LocalClients,
    database: Database,
    proxmox: InstantProxmox,
    *,
    access: type[InstantContainerAccess],
) -> InventoryParts[InstantFleet, InstantContainerAccess]:
    parts = build_parts(
        database, lambda hosts: InstantFleet(hosts, proxmox), lambda hosts: access(hosts, proxmox)
    )
    if not await parts.hosts.list_hosts():
        await parts.hosts.add_host(NewHost(name="pve", host="127.0.0.1", secrets=Secrets(password="x")))
    clients.handlers["inventory"] = [parts.build_container_handlers(InstantContainerHandlers)]
    return parts


def _wire_apps(
    clients: LocalClients, database: Database, catalog: FakeCatalog
) -> tuple[SqlAppStore, AppDependencies, Desk]:
    apps, containers = SqlAppStore(database, Sealer("k" * 40)), GrpcContainers(clients)
    workflows = build_app_workflows(Tools(containers, apps), GrpcBackups(clients), upgrades=apps)
    dependencies = AppDependencies(
        store=apps,
        containers=containers,
        catalog=catalog,
        backups=GrpcBackups(clients),
        users=FakeUsers(OWNER.id),
        plan=plan_with(workflows),
    )
    relay = Relay(database, Bus("nats://127.0.0.1:1", name="test"), outbox=app_tables.outbox)
    clients.handlers["apps"] = [AppsInternalHandlers(dependencies=dependencies, relay=relay)]
    desk = Desk(database, app_tables.operation_tables, workflows, apps.apply, apps.log)
    return apps, dependencies, desk


def _wire_backups(clients: LocalClients, database: Database) -> tuple[BackupDependencies, Desk]:
    apps, containers = GrpcApps(clients), GrpcContainers(clients)
    pace = test_backup.RestoreTestPace(poll_s=0, grace_s=0, boot_s=0)
    workflows = build_backup_workflows(apps, containers, test_pace=pace)
    dependencies = BackupDependencies(
        SqlBackupStore(database, workflows),
        apps,
        containers,
        storages=SqlStorageStore(database),
        policies=SqlPolicyStore(database),
        users=FakeUsers(OWNER.id),
        tests=SqlRestoreTestStore(database, workflows),
        checks=SqlArchiveCheckStore(database, workflows),
        settings=SqlBackupSettingsStore(database),
    )
    clients.handlers["backups"] = [BackupsInternalHandlers(dependencies)]
    return dependencies, Desk(database, backup_tables.tables, workflows, apply_change, write_line)


def _open_database(migrated: Path, folder: Path, service: str) -> Database:
    shutil.copy(migrated / f"p-{service}.sqlite3", folder / f"p-{service}.sqlite3")
    return InlineDatabase(create_engine(f"sqlite:///{folder}/p.sqlite3", service=service))
