"""Backups speak to apps and inventory over real gRPC, with tokens that those admit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from proximity.apps.v1 import apps_service_pb2 as apps_pb
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.inventory.v1 import container_service_pb2 as containers_pb

from services.backups.domain.entities import BackupOrder, BesideOrder, Place, Task
from services.backups.handlers import BackupsHandlers
from services.backups.remote import RemoteApps, RemoteContainers
from services.backups.server import build_workflows
from services.backups.store import SqlBackupStore, build_operation_store
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.common.identity.service_keys import ServiceSigner, make_service_keys, read_service_keys
from services.common.identity.tokens import Caller, CredentialsInvalidError, Revocations, TokenVerifier, User
from services.common.operations.engine import Engine
from services.common.rpc.call import Call
from services.common.rpc.client import Clients
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext
from tests.unit.backups.fakes import APP, FakeApps, FakeContainers

OWNER = User(7, "olga", is_staff=False)


class Unserved:
    """RPCs that backups does not call."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)

        async def refuse(request: object, call: Call) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse


class ServedApps(Unserved):
    """`FakeApps` as a service."""

    def __init__(self, apps: FakeApps) -> None:
        self.fake = apps
        self.callers: list[Caller] = []

    async def get_app_hold(self, request: apps_pb.GetAppHoldRequest, call: Call) -> apps_pb.AppHold:
        user_id = request.user_id if request.HasField("user_id") else None
        await self.fake.get_app(request.app_id, user_id=user_id)
        return self.render()

    async def begin_operation(self, request: apps_pb.BeginOperationRequest, call: Call) -> apps_pb.AppHold:
        self.callers.append(call.caller)
        await self.fake.begin_operation(
            request.app_id, request.operation_id, kind=request.kind, made_by=request.made_by
        )
        return self.render()

    async def report_operation(self, request: apps_pb.ReportOperationRequest, call: Call) -> Empty:
        return Empty()

    async def finish_operation(self, request: apps_pb.FinishOperationRequest, call: Call) -> Empty:
        await self.fake.finish_operation(
            request.app_id,
            request.operation_id,
            succeeded=request.succeeded,
            message=request.message,
            status=request.status,
        )
        return Empty()

    async def restore_beside(
        self, request: apps_pb.RestoreBesideRequest, call: Call
    ) -> apps_pb.CloneAppResponse:
        self.callers.append(call.caller)
        return apps_pb.CloneAppResponse(app_id="web-99999999", message=request.new_hostname)

    async def probe_app(self, request: apps_pb.ProbeAppRequest, call: Call) -> apps_pb.ProbeAppResponse:
        probe = await self.fake.probe_app(request.app_id, request.operation_id)
        return apps_pb.ProbeAppResponse(
            answered=probe.answered, port=probe.port, grace_s=probe.grace_s, message=probe.message
        )

    def render(self) -> apps_pb.AppHold:
        return apps_pb.AppHold(
            app_id=APP.app_id, name=APP.name, status=APP.status, host_id=1, vmid=9001, node="pve1", owner_id=7
        )


class ServedContainers(Unserved):
    """`FakeContainers` as a service."""

    def __init__(self, containers: FakeContainers) -> None:
        self.fake = containers

    async def backup_container(
        self, request: containers_pb.BackupContainerRequest, call: Call
    ) -> containers_pb.Task:
        order = BackupOrder(backup_type=request.mode, compression=request.compression, notes=request.notes)
        place = Place(request.container.host_id, request.container.vmid, request.container.node)
        task = await self.fake.backup_container(
            place, owner=request.owner, order=order, mark=request.backup_id
        )
        return render(task)

    async def restore_container(
        self, request: containers_pb.RestoreContainerRequest, call: Call
    ) -> containers_pb.Task:
        task = await self.fake.restore_container(
            PLACE, owner="", archive=request.archive, lose_volumes=list(request.lose_volumes)
        )
        return render(task)

    async def list_unarchived_volumes(
        self, request: containers_pb.ListUnarchivedVolumesRequest, call: Call
    ) -> containers_pb.ListUnarchivedVolumesResponse:
        found = await self.fake.list_unarchived(PLACE, owner=request.owner, archive=request.archive)
        volumes = [containers_pb.ContainerVolume(key=one.key, description=one.description) for one in found]
        return containers_pb.ListUnarchivedVolumesResponse(volumes=volumes)

    async def start_container(self, request: object, call: Call) -> containers_pb.Task:
        return render(await self.fake.start_container(PLACE, owner=""))

    async def stop_container(self, request: object, call: Call) -> containers_pb.Task:
        return render(await self.fake.stop_container(PLACE, owner=""))

    async def get_container(
        self, request: containers_pb.GetContainerRequest, call: Call
    ) -> containers_pb.Container:
        if request.container.vmid != PLACE.vmid:
            raise NotFoundError("there is no such container")
        return containers_pb.Container(status="running" if self.fake.running else "stopped")

    async def list_archives(
        self, request: containers_pb.ListArchivesRequest, call: Call
    ) -> containers_pb.ListArchivesResponse:
        archives, complete = await self.fake.list_archives(PLACE)
        return containers_pb.ListArchivesResponse(
            archives=[
                containers_pb.Archive(
                    volume_id=one.volume_id,
                    storage=one.storage,
                    file_name=one.file_name,
                    size=one.size,
                    notes=one.notes,
                )
                for one in archives
            ],
            complete=complete,
        )

    async def update_archive(self, request: containers_pb.UpdateArchiveRequest, call: Call) -> Empty:
        protected = request.protected if request.HasField("protected") else None
        await self.fake.update_archive(1, request.volume_id, protected=protected, notes=request.notes)
        return Empty()

    async def delete_archive(
        self, request: containers_pb.DeleteArchiveRequest, call: Call
    ) -> containers_pb.Task:
        return render(await self.fake.delete_archive(1, request.volume_id))

    async def watch_task(
        self, request: containers_pb.WatchTaskRequest, call: Call
    ) -> AsyncIterator[containers_pb.TaskProgress]:
        async for one in self.fake.watch_task(Task(1, request.node, request.upid)):
            yield containers_pb.TaskProgress(
                percent=one.percent,
                done=one.done,
                succeeded=one.succeeded,
                exit_status=one.exit_status,
                result=one.result,
                reason=one.reason,
            )


PLACE = Place(1, 9001, "pve1")


def render(task: Task) -> containers_pb.Task:
    return containers_pb.Task(host_id=1, node=task.node, upid=task.upid, result=task.result)


@dataclass
class Wired:
    db: Database
    served_apps: ServedApps
    containers: FakeContainers
    apps: RemoteApps
    remote: RemoteContainers


@pytest.fixture
async def wired(tmp_path: Path) -> AsyncIterator[Wired]:
    make_service_keys(tmp_path)
    apps, containers = ServedApps(FakeApps()), FakeContainers()
    addresses, servers = {}, []
    described: list[tuple[str, ServiceDescriptor, object]] = [
        ("apps", apps_pb.DESCRIPTOR.services_by_name["AppsInternalService"], apps),
        (
            "inventory",
            containers_pb.DESCRIPTOR.services_by_name["ContainerService"],
            ServedContainers(containers),
        ),
    ]
    for name, service, handlers in described:
        server = create_server()
        add_service(server, service, handlers, ServerContext(guard=Guard(make_verifier(tmp_path, name))))
        addresses[name] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        servers.append(server)
    private, _ = read_service_keys(tmp_path, "backups")
    clients = Clients(ServiceSigner("backups", private), addresses.__getitem__)
    url = f"sqlite:///{tmp_path}/p.sqlite3"
    upgrade(url, "backups")
    db = Database(create_engine(url, service="backups"))
    yield Wired(db, apps, containers, RemoteApps(clients), RemoteContainers(clients))
    await clients.close()
    for server in servers:
        await server.stop(None)
    await db.close()


def make_verifier(keys: Path, service: str) -> TokenVerifier:
    async def find_key(kid: str) -> Ed25519PublicKey | None:
        return None

    async def authenticate(value: str) -> Caller:
        raise CredentialsInvalidError("there are no API tokens here")

    _, publics = read_service_keys(keys, service)
    return TokenVerifier(service, publics, find_key, Revocations(), authenticate)


async def test_a_backup_is_made_restored_protected_and_deleted_over_the_wire(wired: Wired) -> None:
    workflows = build_workflows(wired.apps, wired.remote)
    store = SqlBackupStore(wired.db, workflows)
    api = BackupsHandlers(store, wired.apps, wired.remote)
    operation_store = build_operation_store(wired.db)
    engine = Engine(operation_store, workflows, worker="test", retry_s=0.01)

    async def run_one() -> None:
        operation = await operation_store.claim_next("test")
        assert operation is not None
        await engine.run(operation)

    def call() -> Call:
        return Call("/test", {}, caller=Caller(user=OWNER))

    made = await api.create_backup(pb.CreateBackupRequest(app_id=APP.app_id), call())
    await run_one()
    get = pb.GetBackupRequest(app_id=APP.app_id, backup_id=made.id)
    backup = await api.get_backup(get, call())
    assert (backup.status, backup.size_mb, backup.storage_name) == ("completed", 3.0, "local")
    wired.containers.content = "second"
    await api.restore_backup(pb.RestoreBackupRequest(app_id=APP.app_id, backup_id=made.id), call())
    await run_one()
    assert (wired.containers.content, wired.containers.running) == ("first", True)
    protect = pb.UpdateBackupRequest(app_id=APP.app_id, backup_id=made.id, protected=False, notes="n")
    assert (await api.update_backup(protect, call())).notes == "n"
    await api.delete_backup(pb.DeleteBackupRequest(app_id=APP.app_id, backup_id=made.id), call())
    await run_one()
    assert wired.containers.archives == {}
    assert [status for _, _, status in wired.served_apps.fake.finished] == ["", "running"]
    assert {caller.service for caller in wired.served_apps.callers} == {"backups"}
    assert wired.served_apps.callers[0].user == OWNER


async def test_a_refusal_of_apps_comes_back_as_it_was_meant(wired: Wired) -> None:
    with pytest.raises(NotFoundError, match=APP.app_id):
        await wired.apps.get_app(APP.app_id, user_id=8)
    assert (await wired.apps.get_app(APP.app_id, user_id=None)).owner_id == 7


async def test_a_container_that_is_gone_does_not_run_and_a_restore_beside_is_for_its_user(
    wired: Wired,
) -> None:
    assert not await wired.remote.is_running(Place(1, 1, ""))
    order = BesideOrder("o" * 32, APP.app_id, "local:backup/a", "web-02")
    started = await wired.apps.restore_beside(order, user=OWNER)
    assert (started.app_id, started.message) == ("web-99999999", "web-02")
    assert wired.served_apps.callers[-1].user == OWNER


async def test_an_answer_that_never_comes_is_unavailable(wired: Wired) -> None:
    wired.served_apps.fake.down = True
    with pytest.raises(UnavailableError, match="does not answer"):
        await wired.apps.get_app(APP.app_id, user_id=None)
