"""Containers as apps and backups see them: the fake and inventory with a simulated Proxmox behave the same."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from proximity.inventory.v1 import container_service_pb2 as pb

from services.clients.inventory.archive_interface import Archives
from services.clients.inventory.archive_values import NewArchive, NewNetwork
from services.clients.inventory.client import GrpcContainers
from services.clients.inventory.errors import TaskLostError
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import find_container, has_container, is_running
from services.clients.inventory.restore_plans import RestoreOrder, RestoreTargetUnfitError
from services.clients.inventory.tasks import end_task, follow_task
from services.clients.inventory.values import ContainerChanges, NewContainer, Ref, Task
from services.common.core.errors import BusyError, ForbiddenError, NotFoundError
from tests.contract.clients.wire import serve
from tests.contract.inventory.conftest import Inventory, access, inventory, secrets, sim
from tests.fakes.containers import FakeContainers

__all__ = ["access", "inventory", "secrets", "sim"]

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["ContainerService"]
OWNER, OTHER, COPY = "web-0a1b2c3d", "db-0a1b2c3d", "copy-0a1b2c3d"
NEW = NewContainer(
    hostname="web",
    memory=512,
    swap=0,
    cores=1,
    disk_size=4,
    template="",
    storage="",
    network_cidr="",
    bridge="",
    gateway="",
    nameservers=(),
    docker=True,
    oci=False,
)
ARCHIVE = NewArchive(mode="stop", compression="zstd", storage="", notes="nightly", backup_id="b" * 32)


@dataclass
class Backend:
    """The clients of apps and of backups, and the id of the host."""

    containers: Containers
    archives: Archives
    host_id: int

    async def create(self, owner: str = OWNER) -> Ref:
        """Reserve an id and create a container, to the end."""
        ref = Ref(self.host_id, await self.containers.reserve_vmid(self.host_id, owner), "pve1")
        await self.follow(await self.containers.create_container(ref, owner=owner, new=NEW))
        return ref

    async def follow(self, task: Task) -> str:
        """Follow a task to its end."""
        return await follow_task(self.containers, task)


@pytest.fixture(params=["fake", "real"])
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, inventory: Inventory
) -> AsyncIterator[Backend]:
    if request.param == "fake":
        fake = FakeContainers()
        yield Backend(fake, fake, 1)
        return
    async with serve(tmp_path, DESCRIPTOR, inventory.containers, callers=["apps", "backups"]) as clients:
        yield Backend(GrpcContainers(clients["apps"]), GrpcContainers(clients["backups"]), inventory.host.id)


async def test_an_owner_has_one_reservation_until_it_is_released(backend: Backend) -> None:
    containers, host_id = backend.containers, backend.host_id
    first = await containers.reserve_vmid(host_id, OWNER)
    assert await containers.reserve_vmid(host_id, OWNER) == first
    assert await containers.reserve_vmid(host_id, OTHER) != first
    await containers.release_vmid(host_id, OWNER)
    await containers.release_vmid(host_id, OWNER)


async def test_a_container_is_created_once_with_its_owners_mark(backend: Backend) -> None:
    ref = await backend.create()
    await backend.follow(await backend.containers.create_container(ref, owner=OWNER, new=NEW))
    found = await backend.containers.get_container(ref)
    assert (found.vmid, found.owner, found.name, found.status) == (ref.vmid, OWNER, "web", "stopped")
    assert (found.bare, found.mounts) == (False, ())
    owned = await backend.containers.find_owned_containers(OWNER, host_id=ref.host_id, hostname="web")
    assert [one.vmid for one in owned] == [ref.vmid]
    scan = await backend.containers.list_containers(ref.host_id)
    assert ref.vmid in {one.vmid for one in scan.containers}
    assert scan.complete == {ref.host_id}


async def test_a_container_starts_and_stops_repeatedly(backend: Backend) -> None:
    ref = await backend.create()
    for _ in range(2):
        await backend.follow(await backend.containers.start_container(ref, owner=OWNER))
        assert await is_running(backend.containers, ref)
    for _ in range(2):
        await backend.follow(await backend.containers.stop_container(ref, owner=OWNER))
        assert not await is_running(backend.containers, ref)
    assert await has_container(backend.containers, ref)


async def test_a_container_that_does_not_exist_is_not_found(backend: Backend) -> None:
    ref = Ref(backend.host_id, 9998, "pve1")
    assert await find_container(backend.containers, ref) is None
    assert not await is_running(backend.containers, ref)
    with pytest.raises(NotFoundError):
        await backend.containers.get_container(ref)
    with pytest.raises(NotFoundError):
        await backend.containers.start_container(ref, owner=OWNER)
    await backend.follow(await backend.containers.destroy_container(ref, owner=OWNER))


async def test_the_container_of_another_owner_is_refused(backend: Backend) -> None:
    ref = await backend.create()
    containers = backend.containers
    attempts: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: containers.start_container(ref, owner=OTHER),
        lambda: containers.stop_container(ref, owner=OTHER),
        lambda: containers.destroy_container(ref, owner=OTHER),
        lambda: containers.configure_container(ref, owner=OTHER, changes=ContainerChanges(memory_mb=1024)),
        lambda: backend.archives.backup_container(ref, owner=OTHER, new=ARCHIVE),
    )
    for attempt in attempts:
        with pytest.raises(ForbiddenError) as refusal:
            await attempt()
        assert refusal.value.reason == "NOT_OURS"
    with pytest.raises(BusyError):
        await containers.adopt_container(ref, owner=OTHER)


async def test_a_destroyed_container_is_gone(backend: Backend) -> None:
    ref = await backend.create()
    await backend.follow(await backend.containers.destroy_container(ref, owner=OWNER))
    assert not await has_container(backend.containers, ref)


async def test_marks_are_taken_off_and_put_on(backend: Backend) -> None:
    ref = await backend.create()
    await backend.containers.release_container(ref, owner=OWNER)
    await backend.containers.release_container(ref, owner=OWNER)
    await backend.containers.release_vmid(ref.host_id, OWNER)
    assert (await backend.containers.get_container(ref)).owner == ""
    await backend.containers.adopt_container(ref, owner=OTHER)
    assert (await backend.containers.get_container(ref)).owner == OTHER
    assert await backend.containers.reserve_vmid(ref.host_id, OTHER) == ref.vmid


async def test_memory_is_changed(backend: Backend) -> None:
    ref = await backend.create()
    task = await backend.containers.configure_container(
        ref, owner=OWNER, changes=ContainerChanges(memory_mb=1024)
    )
    await backend.follow(task)
    assert (await backend.containers.get_container(ref)).memory == 1024 * 1024**2


async def test_an_archive_is_made_once_listed_restored_and_deleted(backend: Backend) -> None:
    containers, ref = backend.containers, await backend.create()
    task = await backend.archives.backup_container(ref, owner=OWNER, new=ARCHIVE)
    volume_id = await backend.follow(task)
    assert (
        await backend.follow(await backend.archives.backup_container(ref, owner=OWNER, new=ARCHIVE))
        == volume_id
    )
    listing = await containers.list_archives(ref)
    [archive] = [one for one in listing.archives if one.has_backup_id(ARCHIVE.backup_id)]
    assert (archive.volume_id, listing.complete, archive.size > 0) == (volume_id, True, True)
    assert await containers.list_unarchived_volumes(ref, owner=OWNER, archive=volume_id) == []
    await backend.archives.update_archive(ref.host_id, volume_id, protected=False, notes="weekly")
    await backend.follow(await containers.restore_container(ref, owner=OWNER, archive=volume_id))
    assert (await containers.get_container(ref)).owner == OWNER
    await backend.follow(await backend.archives.delete_archive(ref.host_id, volume_id))
    await backend.follow(await backend.archives.delete_archive(ref.host_id, volume_id))
    assert volume_id not in {one.volume_id for one in (await containers.list_archives(ref)).archives}


async def test_a_running_container_is_not_overwritten(backend: Backend) -> None:
    containers, ref = backend.containers, await backend.create()
    volume_id = await backend.follow(await backend.archives.backup_container(ref, owner=OWNER, new=ARCHIVE))
    await backend.follow(await containers.start_container(ref, owner=OWNER))
    with pytest.raises(BusyError) as refusal:
        await containers.restore_container(ref, owner=OWNER, archive=volume_id)
    assert refusal.value.reason == "CONTAINER_RUNNING"


async def test_an_archive_is_restored_beside(backend: Backend) -> None:
    containers, ref = backend.containers, await backend.create()
    volume_id = await backend.follow(await backend.archives.backup_container(ref, owner=OWNER, new=ARCHIVE))
    order = RestoreOrder(source_host_id=ref.host_id, archive=volume_id, host_id=ref.host_id, foreign=True)
    archived = (await containers.plan_restore(order)).archived
    assert (archived.vmid, archived.owner, archived.hostname, archived.omitted) == (
        ref.vmid,
        OWNER,
        NEW.hostname,
        (),
    )
    assert archived.size > 0
    missing = dataclasses.replace(order, archive=volume_id.replace(f"-{ref.vmid}-", "-999-"))
    with pytest.raises(NotFoundError):
        await containers.plan_restore(missing)
    with pytest.raises(RestoreTargetUnfitError):
        (await containers.plan_restore(dataclasses.replace(missing, foreign=False))).check()
    copy = Ref(ref.host_id, await containers.reserve_vmid(ref.host_id, COPY), "pve1")
    task = await containers.restore_container(
        copy,
        owner=COPY,
        archive=volume_id,
        beside=True,
        hostname="copy",
        network=NewNetwork(bridge="vmbr0", nameservers=("9.9.9.9",)),
    )
    await backend.follow(task)
    found = await containers.get_container(copy)
    assert (found.owner, found.name) == (COPY, "copy")
    assert (await containers.get_container(ref)).owner == OWNER


async def test_a_task_that_proxmox_does_not_know_is_lost(backend: Backend) -> None:
    upid = "UPID:pve1:0000FFFF:0000FFFF:65AA0000:vzstart:9998:root@pam:"
    with pytest.raises(TaskLostError):
        await backend.follow(Task(backend.host_id, "pve1", upid))
    await end_task(backend.containers, Task(backend.host_id, "pve1", ""))
    assert list(await backend.containers.list_container_tasks(Ref(backend.host_id, 9998, "pve1"))) == []
