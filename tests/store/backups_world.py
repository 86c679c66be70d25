"""The service of backups on both databases, with apps and containers in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.handlers import BackupsHandlers, BackupsInternalHandlers
from services.backups.server import build_workflows
from services.backups.store import SqlBackupStore, build_operation_store
from services.backups.tables import operations, outbox
from services.common.core.clock import now
from services.common.db.database import Database
from services.common.identity.tokens import Caller, User
from services.common.operations.engine import Engine
from services.common.rpc.call import Call
from tests.store.backups_db import db, migrated_file, migrated_url
from tests.unit.backups.fakes import APP, FakeApps, FakeContainers

__all__ = ["db", "migrated_file", "migrated_url"]

OWNER = User(7, "olga", is_staff=False)
STRANGER = User(8, "sven", is_staff=False)
ADMIN = User(1, "root", is_staff=True)


def call_of(user: User = OWNER) -> Call:
    return Call("/test", {}, caller=Caller(user=user))


@dataclass
class World:
    db: Database
    apps: FakeApps
    containers: FakeContainers
    store: SqlBackupStore
    api: BackupsHandlers
    internal: BackupsInternalHandlers
    engine: Engine

    async def create(self, call: Call | None = None) -> int:
        answer = await self.api.create_backup(
            pb.CreateBackupRequest(app_id=APP.app_id, notes="before the update"), call or call_of()
        )
        return answer.id

    async def make_due(self) -> None:
        """What waits has waited long enough."""
        due = operations.update().values(not_before=now() - timedelta(seconds=1))
        await self.db.write(lambda connection: connection.execute(due))

    async def get(self, backup_id: int, user: User = OWNER) -> backup_pb2.Backup:
        request = pb.GetBackupRequest(app_id=APP.app_id, backup_id=backup_id)
        return await self.api.get_backup(request, call_of(user))

    async def restore(self, backup_id: int, call: Call | None = None) -> pb.RestoreBackupResponse:
        request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id)
        return await self.api.restore_backup(request, call or call_of())

    async def delete(self, backup_id: int, user: User = OWNER) -> pb.DeleteBackupResponse:
        request = pb.DeleteBackupRequest(app_id=APP.app_id, backup_id=backup_id)
        return await self.api.delete_backup(request, call_of(user))

    async def run_all(self) -> int:
        """Run what may run now, to its end; how many operations that were."""
        operation_store, count = build_operation_store(self.db), 0
        while (operation := await operation_store.claim_next("test")) is not None:
            await self.engine.run(operation)
            count += 1
        return count

    async def make_completed(self) -> int:
        backup_id = await self.create()
        assert await self.run_all() == 1
        return backup_id

    async def list_subjects(self) -> list[str]:
        query = sa.select(outbox.c.subject).order_by(outbox.c.id)
        return list(await self.db.read(lambda connection: connection.execute(query).scalars().all()))

    async def count(self, table: sa.Table) -> int:
        query = sa.select(sa.func.count()).select_from(table)
        return await self.db.read(lambda connection: int(connection.execute(query).scalar_one()))


@pytest.fixture
def build(db: Database) -> Callable[[], World]:
    def make() -> World:
        apps, containers = FakeApps(), FakeContainers()
        workflows = build_workflows(apps, containers)
        store = SqlBackupStore(db, workflows)
        api = BackupsHandlers(store, apps, containers)
        engine = Engine(build_operation_store(db), workflows, worker="test", retry_s=0.01)
        return World(db, apps, containers, store, api, BackupsInternalHandlers(store, apps), engine)

    return make


@pytest.fixture
def world(build: Callable[[], World]) -> World:
    return build()
