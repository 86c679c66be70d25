"""The service of backups with apps and containers in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from nats.aio.msg import Msg
from proximity.apps.v1 import events_pb2
from proximity.backups.v1 import backup_pb2, policy_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.handlers import BackupsHandlers, BackupsInternalHandlers
from services.backups.jobs import BackupJobs
from services.backups.server import build_workflows
from services.backups.store import (
    SqlArchiveCheckStore,
    SqlBackupSettingsStore,
    SqlBackupStore,
    SqlPolicyStore,
    SqlRestoreTestStore,
    SqlStorageStore,
    build_operation_store,
)
from services.backups.store.announcements import BACKUP_CHANGED
from services.backups.store.tables import operations, outbox
from services.backups.usecases.context import BackupDependencies
from services.backups.workflows import test_backup
from services.clients.inventory.archive_values import ContainerVolume
from services.clients.inventory.values import Ref
from services.common.core.clock import now
from services.common.db.database import Database
from services.common.identity.tokens import Caller, User
from services.common.operations.engine import Engine
from services.common.rpc.call import Call
from tests.fakes.apps import APP, FakeApps
from tests.fakes.auth import FakeUsers
from tests.fakes.containers import FakeContainers

OWNER = User(7, "olga", is_staff=False)
STRANGER = User(8, "sven", is_staff=False)
ADMIN = User(1, "root", is_staff=True)
REF = Ref(APP.host_id, APP.vmid, APP.node)
OTHER_APP = replace(APP, app_id="db-0a1b2c3d", name="db", owner_id=STRANGER.id, vmid=9002)
PHOTOS = ContainerVolume("mp0", "mp0 (/srv/photos, 50 GB on tank)")


def call_of(user: User = OWNER) -> Call:
    return Call("/test", {}, caller=Caller(user=user))


@dataclass
class Platform:
    """Backups with the app `APP`, whose container runs."""

    db: Database
    apps: FakeApps
    containers: FakeContainers
    store: SqlBackupStore
    dependencies: BackupDependencies
    api: BackupsHandlers
    internal: BackupsInternalHandlers
    engine: Engine

    @property
    def is_running(self) -> bool:
        """Whether the app's container runs."""
        container = self.containers.containers.get(REF.vmid)
        return container is not None and container.status == "running"

    @property
    def content(self) -> str:
        """What is in the app's container."""
        return self.containers.files[REF.vmid, "content"]

    @content.setter
    def content(self, text: str) -> None:
        self.containers.files[REF.vmid, "content"] = text

    def add_app(self) -> None:
        """Have an app of another user, whose container runs."""
        self.apps.apps[OTHER_APP.app_id] = OTHER_APP
        ref = Ref(OTHER_APP.host_id, OTHER_APP.vmid, OTHER_APP.node)
        self.containers.add_container(ref, owner=OTHER_APP.app_id, status="running")

    async def create(self, call: Call | None = None) -> int:
        """Request a backup of the app."""
        answer = await self.api.create_backup(
            pb.CreateBackupRequest(app_id=APP.app_id, notes="before the update"), call or call_of()
        )
        return answer.id

    async def make_completed(self) -> int:
        """Make a backup of the app, to the end."""
        backup_id = await self.create()
        assert await self.run_all() == 1
        return backup_id

    async def add_policy(self, **fields: object) -> policy_pb2.BackupPolicy:
        """Add a nightly policy of the app, with some fields changed."""
        return await self.api.create_backup_policy(make_policy_request(**fields), call_of(ADMIN))

    async def allow_policies(self, **limits: object) -> policy_pb2.BackupPolicyLimits:
        """Allow policies of users, within limits."""
        request = policy_pb2.UpdateBackupPolicyLimitsRequest(**{"allowed": True} | limits)  # type: ignore[arg-type]
        return await self.api.update_backup_policy_limits(request, call_of(ADMIN))

    async def get(self, backup_id: int, user: User = OWNER) -> backup_pb2.Backup:
        """Read a backup of the app."""
        request = pb.GetBackupRequest(app_id=APP.app_id, backup_id=backup_id)
        return await self.api.get_backup(request, call_of(user))

    async def restore(
        self, backup_id: int, call: Call | None = None, *, safety_backup: bool = False
    ) -> pb.RestoreBackupResponse:
        """Request that a backup is restored over the app."""
        request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, safety_backup=safety_backup)
        return await self.api.restore_backup(request, call or call_of())

    async def restore_beside(self, backup_id: int, call: Call | None = None) -> pb.RestoreBackupResponse:
        """Request that a backup is restored as a new app."""
        request = pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=backup_id, new_hostname="web-02")
        return await self.api.restore_backup(request, call or call_of())

    async def delete(self, backup_id: int, user: User = OWNER) -> pb.DeleteBackupResponse:
        """Request that a backup is deleted."""
        request = pb.DeleteBackupRequest(app_id=APP.app_id, backup_id=backup_id)
        return await self.api.delete_backup(request, call_of(user))

    async def protect(self, backup_id: int, *, protected: bool = True) -> backup_pb2.Backup:
        """Protect a backup, or take its protection off."""
        request = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=backup_id, protected=protected)
        return await self.api.update_backup(request, call_of())

    async def list_backups(self, user: User = OWNER, **fields: int) -> pb.ListBackupsResponse:
        """List the backups of the app."""
        request = pb.ListBackupsRequest(app_id=APP.app_id, **fields)
        return (await self.api.list_backups(request, call_of(user))).message

    async def list_all(
        self, user: User = OWNER, *, app_id: str | None = None, status: str | None = None
    ) -> list[int]:
        """List the ids of all backups that a user sees."""
        answer = await self.api.list_all_backups(
            pb.ListAllBackupsRequest(app_id=app_id, status=status), call_of(user)
        )
        assert answer.total == len(answer.backups)
        return [one.id for one in answer.backups]

    async def get_stats(self, user: User = OWNER) -> pb.BackupStats:
        """Read counts and sizes of the app's backups."""
        return await self.api.get_backup_stats(pb.GetBackupStatsRequest(app_id=APP.app_id), call_of(user))

    async def remove_app(self, *, delete: bool = False) -> None:
        """Delete the app; the event of apps arrives."""
        del self.apps.apps[APP.app_id]
        event = events_pb2.AppRemoved(app_id=APP.app_id, owner_id=APP.owner_id, delete_backups=delete)
        message = Msg(None, data=event.SerializeToString(), headers={"Nats-Msg-Id": "m1"})  # type: ignore[arg-type]
        await BackupJobs(self.store, self.dependencies.policies).note_app_removed(message)

    async def run_all(self) -> int:
        """Run the operations that are due to their end, and return how many."""
        operation_store, count = build_operation_store(self.db), 0
        while (operation := await operation_store.claim_next("test")) is not None:
            await self.engine.run(operation)
            count += 1
        return count

    async def make_due(self) -> None:
        """Make every waiting operation due."""
        due = operations.update().values(not_before=now() - timedelta(seconds=1))
        await self.db.write(lambda connection: connection.execute(due))

    async def list_subjects(self) -> list[str]:
        """List the subjects of the messages in the outbox, without the announcements of every change."""
        query = sa.select(outbox.c.subject).where(outbox.c.subject != BACKUP_CHANGED).order_by(outbox.c.id)
        return list(await self.db.read(lambda connection: connection.execute(query).scalars().all()))

    async def count(self, table: sa.Table) -> int:
        """Count the rows of a table."""
        query = sa.select(sa.func.count()).select_from(table)
        return await self.db.read(lambda connection: int(connection.execute(query).scalar_one()))


def build_platform(db: Database) -> Platform:
    apps, containers = FakeApps(), FakeContainers()
    containers.add_container(REF, owner=APP.app_id, name=APP.name, status="running")
    containers.files[REF.vmid, "content"] = "first"
    workflows = build_workflows(
        apps, containers, test_pace=test_backup.RestoreTestPace(poll_s=0, grace_s=0, boot_s=0)
    )
    store = SqlBackupStore(db, workflows)
    dependencies = BackupDependencies(
        store,
        apps,
        containers,
        storages=SqlStorageStore(db),
        policies=SqlPolicyStore(db),
        tests=SqlRestoreTestStore(db, workflows),
        checks=SqlArchiveCheckStore(db, workflows),
        settings=SqlBackupSettingsStore(db),
        users=FakeUsers(OWNER.id, STRANGER.id, ADMIN.id),
    )
    return Platform(
        db,
        apps,
        containers,
        store,
        dependencies,
        BackupsHandlers(dependencies),
        BackupsInternalHandlers(dependencies),
        Engine(build_operation_store(db), workflows, worker="test", retry_s=0.01),
    )


def make_policy_request(**fields: object) -> policy_pb2.CreateBackupPolicyRequest:
    """Describe a nightly policy of the app, with some fields changed."""
    values: dict[str, Any] = {
        "name": "nightly",
        "schedule": "0 3 * * *",
        "time_zone": "Europe/Rome",
        "window_minutes": 0,
        "keep_daily": 2,
        "app_ids": [APP.app_id],
    }
    return policy_pb2.CreateBackupPolicyRequest(**(values | fields))
