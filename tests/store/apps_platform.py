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
from services.apps.usecases import dependencies as usecases
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.workflows import build_workflows, plan_with
from services.apps.workflows.steps.tools import Tools
from services.common.db.database import Database
from services.common.identity.sealing import Sealer
from services.common.operations.engine import Engine
from services.common.operations.store import SqlOperationStore
from tests.fakes.containers import FakeContainers
from tests.fakes.neighbours import FakeBackups, FakeCatalog, FakeUsers
from tests.store.apps_db import db  # noqa: F401 - fixtures


@dataclasses.dataclass
class Platform:
    database: Database
    store: SqlAppStore
    containers: FakeContainers
    world: AppDependencies
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
        return await usecases.deploy_app(self.world, new, Requester(request_id, owner))

    async def act(self, app_id: str, action: str) -> str | None:
        app = await self.store.get_app(app_id)
        return await usecases.perform_action(self.world, app, action, asked())


def asked() -> Requester:
    return Requester(uuid.uuid4().hex, 1)


@pytest.fixture
async def platform(db: Database) -> Platform:  # noqa: F811 - the fixture
    store, containers = SqlAppStore(db, Sealer("k" * 40)), FakeContainers()
    backups, catalog = FakeBackups(containers), FakeCatalog()
    workflows = build_workflows(Tools(containers, store), backups, store)
    operations = SqlOperationStore(db, operation_tables, apply=store.apply, log=store.log)
    engine = Engine(operations, workflows, worker="w1", retry_s=0.01)
    world = AppDependencies(store, containers, catalog, plan_with(workflows), FakeUsers(1, 2))
    return Platform(db, store, containers, world, engine, operations, backups, catalog)
