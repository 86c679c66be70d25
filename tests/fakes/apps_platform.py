"""The apps service on both databases, with the real engine and containers in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid

import pytest
import sqlalchemy as sa

from services.apps.domain.config import parse_config
from services.apps.domain.deployment import NewApp
from services.apps.domain.entities import App
from services.apps.store import SqlAppStore
from services.apps.store.tables import operation_tables
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.deploy_app import deploy_app
from services.apps.usecases.perform_app_action import perform_app_action
from services.apps.workflows import build_workflows, plan_with
from services.apps.workflows.steps.tools import Tools
from services.common.db.database import Database
from services.common.identity.keys import Sealer
from services.common.operations.engine import Engine
from services.common.operations.store import SqlOperationStore
from tests.fakes.auth import FakeUsers
from tests.fakes.backups import FakeBackups
from tests.fakes.catalog import FakeCatalog
from tests.fakes.containers import FakeContainers


@dataclasses.dataclass
class Platform:
    database: Database
    store: SqlAppStore
    containers: FakeContainers
    dependencies: AppDependencies
    engine: Engine
    operations: SqlOperationStore
    backups: FakeBackups
    catalog: FakeCatalog

    async def run(self) -> None:
        while (operation := await self.operations.claim_next("w1")) is not None:
            await self.engine.run(operation)

    async def run_to_the_end(self) -> None:
        """Run until no operation waits for its next attempt."""
        waiting = sa.select(sa.func.count()).where(operation_tables.operations.c.finished_at.is_(None))
        async with asyncio.timeout(20):
            while await self.database.read(lambda connection: connection.execute(waiting).scalar_one()):
                await self.run()
                await asyncio.sleep(0.01)

    async def deploy(
        self, hostname: str = "web-01", *, request_id: str = "", owner: int = 1, runtime: str = ""
    ) -> App:
        request_id = request_id or uuid.uuid4().hex
        new = NewApp(
            id=f"adminer-{request_id[:8]}",
            owner_id=owner,
            catalog_id="adminer",
            hostname=hostname,
            name="",
            config=parse_config({"memory": 512, **({"runtime": runtime} if runtime else {})}),
            environment={"THEME": "dark"},
        )
        return await deploy_app(self.dependencies, new, requester=Requester(request_id, owner))

    async def act(self, app_id: str, action: str) -> str | None:
        accepted = await perform_app_action(self.dependencies, app_id, action=action, requester=asked())
        return accepted.message if accepted.operation_id else None


class StaleStore(SqlAppStore):
    """A store whose reader saw an app before another operation changed it."""

    def __init__(self, store: SqlAppStore, app: App) -> None:
        self.__dict__ |= vars(store)
        self._app = app

    async def get_app(self, app_id: str, *, owner: int | None = None) -> App:
        return self._app


def asked() -> Requester:
    return Requester(uuid.uuid4().hex, 1)


@pytest.fixture
async def platform(db: Database) -> Platform:
    store, containers = SqlAppStore(db, Sealer("k" * 40)), FakeContainers()
    backups, catalog = FakeBackups(containers), FakeCatalog()
    workflows = build_workflows(Tools(containers, store), backups, upgrades=store)
    operations = SqlOperationStore(db, operation_tables, apply=store.apply, log=store.log)
    engine = Engine(operations, workflows, worker="w1", retry_s=0.01)
    dependencies = AppDependencies(
        store=store,
        containers=containers,
        catalog=catalog,
        backups=backups,
        users=FakeUsers(1, 2),
        plan=plan_with(workflows),
    )
    return Platform(db, store, containers, dependencies, engine, operations, backups, catalog)
