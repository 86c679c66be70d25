"""Apps, backups and inventory in one process, wired as their servers wire them."""

from __future__ import annotations

import copy
import dataclasses
import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from proximity.backups.v1 import backups_service_pb2 as backups_pb

from services.apps.domain.config import parse_config
from services.apps.domain.deployment import NewApp
from services.apps.domain.entities import App
from services.apps.store import SqlAppStore
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.deploy_app import deploy_app
from services.apps.usecases.perform_app_action import perform_app_action
from services.backups.handlers import BackupsHandlers
from services.backups.usecases.context import BackupDependencies
from services.common.db.database import Database
from services.common.db.migrations import upgrade
from services.common.identity.tokens import Caller, User
from services.common.operations.engine import Engine
from services.common.operations.model import Workflow
from services.common.operations.tables import OperationTables
from services.common.rpc.call import Call
from services.inventory.jobs.abandoned_reservations import AbandonedReservations
from tests.failpoints.crashing import CrashingStore
from tests.failpoints.wire import LocalClients
from tests.fakes.catalog import FakeCatalog
from tests.fakes.instant_proxmox import InstantContainerAccess, InstantFleet
from tests.pvesim.instant import InstantProxmox

SERVICES = ("apps", "backups", "inventory")
OWNER = User(7, "olga", is_staff=False)
_ROUNDS = 60


@dataclasses.dataclass
class Desk:
    """The operations of one service: where they are kept and what carries them out."""

    db: Database
    tables: OperationTables
    workflows: dict[str, Workflow[Any]]
    apply: Any
    log: Any

    def make_store(self) -> CrashingStore:
        """A store of a worker of its own."""
        return CrashingStore(self.db, self.tables, apply=self.apply, log=self.log)

    async def run(self, store: CrashingStore) -> None:
        """Run what may run, until nothing may or the worker is dead."""
        engine = Engine(store, self.workflows, worker="w", retry_s=0.001)
        while not store.dead and (operation := await engine.claim()) is not None:
            await engine.run(operation)

    async def read(self, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        rows = await self.db.read(lambda connection: connection.execute(query).all())
        return [tuple(row) for row in rows]

    async def count_unfinished(self) -> int:
        """Operations under way that are ours to carry out."""
        table = self.tables.operations
        where = (table.c.finished_at.is_(None), table.c.delegated.is_(False), table.c.status != "dead")
        query = sa.select(sa.func.count()).where(*where)
        return int(await self.db.read(lambda connection: connection.execute(query).scalar_one()))

    async def let_time_pass(self) -> None:
        """Every lease has run out and nothing waits any longer."""
        table = self.tables.operations
        query = table.update().where(table.c.finished_at.is_(None))
        query = query.values(lease_until=None, not_before=table.c.created_at)
        await self.db.write(lambda connection: connection.execute(query))


@dataclasses.dataclass
class Platform:
    """What a test works with."""

    proxmox: InstantProxmox
    clients: LocalClients
    apps: SqlAppStore
    dependencies: AppDependencies
    catalog: FakeCatalog
    backups: BackupsHandlers
    dependencies_of_backups: BackupDependencies
    desks: dict[str, Desk]
    databases: dict[str, Database]
    removed: AbandonedReservations
    access: InstantContainerAccess
    fleet: InstantFleet

    async def work(self, desk: Desk, store: CrashingStore) -> None:
        """Let one worker end what its desk has, the others helping where it waits for them, or die."""
        for _ in range(_ROUNDS):
            await desk.run(store)
            if store.dead or not await desk.count_unfinished():
                return
            for other in self.desks.values():
                if other is not desk:
                    await other.run(other.make_store())
            await desk.let_time_pass()

    def end_silence(self) -> None:
        """Let the clients ask Proxmox again at once."""
        self.fleet.end_silence()

    async def settle(self) -> None:
        """Let workers that do not die end everything."""
        for _ in range(_ROUNDS):
            is_idle = True
            for desk in self.desks.values():
                if await desk.count_unfinished():
                    is_idle = False
                    await desk.let_time_pass()
                    await desk.run(desk.make_store())
            self.proxmox.run_tasks()
            if is_idle:
                return
        raise AssertionError(f"operations do not end: {await self.describe_operations()}")

    async def describe_operations(self) -> list[tuple[Any, ...]]:
        """Every operation, for a person."""
        found: list[tuple[Any, ...]] = []
        for desk in self.desks.values():
            table = desk.tables.operations.c
            query = sa.select(table.kind, table.status, table.step_index, table.waiting_for, table.error)
            found += await desk.read(query)
        return found

    async def deploy(self, hostname: str = "web-01", **config: Any) -> App:
        """Ask for a deployment."""
        request_id = uuid.uuid4().hex
        new = NewApp(
            id=f"adminer-{request_id[:8]}",
            owner_id=OWNER.id,
            catalog_id="adminer",
            hostname=hostname,
            name="",
            config=parse_config({"memory": 512, **config}),
            environment={},
            node="pve1",
        )
        return await deploy_app(self.dependencies, new, requester=asked(request_id))

    async def act(self, app_id: str, action: str) -> None:
        """Ask for an action."""
        await perform_app_action(self.dependencies, app_id, action=action, requester=asked())

    async def back_up(self, app_id: str) -> int:
        """Ask for a backup."""
        request = backups_pb.CreateBackupRequest(app_id=app_id, storage="backup")
        return int((await self.backups.create_backup(request, call())).id)


def asked(request_id: str = "") -> Requester:
    """Asked by the owner."""
    return Requester(request_id or uuid.uuid4().hex, OWNER.id)


def call() -> Call:
    """A call of the owner."""
    return Call("/test", {}, caller=Caller(user=OWNER))


async def find_end(desk: Desk, kind: str) -> str:
    """The status and the error that the newest operation of a kind ended with."""
    table = desk.tables.operations.c
    query = sa.select(table.status, table.error).where(table.kind == kind).order_by(table.created_at.desc())
    row: Any = await desk.db.read(lambda connection: connection.execute(query).first())
    return f"{row.status} {row.error}".strip()


def migrate(folder: Path) -> None:
    """Make the databases that every platform begins with."""
    for service in SERVICES:
        upgrade(f"sqlite:///{folder}/p.sqlite3", service)


def make_proxmox() -> InstantProxmox:
    """A cluster with strangers, whose tasks run when they are asked for."""
    proxmox = InstantProxmox("demo")
    proxmox.run_tasks()
    proxmox.hold_tasks = True
    return proxmox


def copy_proxmox(original: InstantProxmox) -> InstantProxmox:
    """The same cluster again, with a life of its own."""
    proxmox = copy.copy(original)
    proxmox.cluster = copy.deepcopy(original.cluster)
    proxmox.cluster.clock = lambda: proxmox.time
    return proxmox
