"""Backups, restores, clones, snapshots, moves and marks, against the simulated Proxmox."""

import asyncio
import re

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.core.errors import UnavailableError
from services.inventory.domain.errors import (
    ContainerRunningError,
    NotOursError,
    SnapshotUnavailableError,
)
from services.inventory.usecases import clone_container
from tests.contract.inventory.conftest import Inventory, new_call


async def back_up_twice(inventory: Inventory, ref: cs.ContainerRef, *, owner: str, storage: str) -> str:
    """The archive's volume id; a repetition with the same id finds it instead of making another one."""
    backup = cs.BackupContainerRequest(
        container=ref,
        owner=owner,
        mode="snapshot",
        compression="zstd",
        storage=storage,
        notes="n",
        backup_id="17",
    )
    done = await inventory.finish(await inventory.containers.backup_container(backup, new_call()))
    assert done.succeeded
    again = await inventory.containers.backup_container(backup, new_call())
    assert (again.upid, again.result) == ("", done.result)
    return done.result


@pytest.mark.parametrize(
    ("storage", "archive"),
    [("backup", r"backup:backup/vzdump-lxc-\d+-\S+\.tar\.zst"), ("pbs", r"pbs:backup/ct/\d+/[0-9T:-]+Z")],
)
async def test_a_backup_is_found_again_by_its_id_and_restored_over_and_beside(
    inventory: Inventory, storage: str, archive: str
) -> None:
    containers, owner, copy = inventory.containers, f"saved-{storage}", f"copy-{storage}"
    if storage == "pbs":
        pbs = {"name": "pbs", "type": "pbs", "content": ["backup"], "shared": True, "total": 1 << 30}
        inventory.sim.client.control("POST", "/storages", pbs)
    ref = await inventory.create(owner)
    volume_id = await back_up_twice(inventory, ref, owner=owner, storage=storage)
    assert re.fullmatch(archive, volume_id)

    listed = await containers.list_archives(
        cs.ListArchivesRequest(host_id=ref.host_id, vmid=ref.vmid), new_call()
    )
    shown = "proximity-backup: 17" if storage == "backup" else "proximity-backup: 17\nn"
    assert [(one.volume_id, one.notes) for one in listed.archives] == [(volume_id, shown)]
    assert listed.complete
    assert listed.archives[0].file_name == volume_id.partition("backup/")[2]

    silent = {"kind": "error", "match": {"path": f"/storage/{storage}/content$"}}
    inventory.sim.client.control("POST", "/faults", [silent])
    with pytest.raises(UnavailableError, match="not every storage"):  # what cannot be seen is not gone
        await containers.delete_archive(
            cs.DeleteArchiveRequest(host_id=ref.host_id, volume_id=volume_id), new_call()
        )
    inventory.sim.client.control("DELETE", "/faults")

    larger = cs.ConfigureContainerRequest(container=ref, owner=owner, memory_mb=640)
    await inventory.finish(await containers.configure_container(larger, new_call()))
    over = cs.RestoreContainerRequest(container=ref, owner=owner, archive=volume_id)
    assert (await inventory.finish(await containers.restore_container(over, new_call()))).succeeded
    found = await containers.get_container(cs.GetContainerRequest(container=ref), new_call())
    assert (found.owner, found.memory) == (owner, 640 << 20), "the archive is older than the change"

    other = await containers.reserve_vmid(cs.ReserveVmidRequest(host_id=ref.host_id, owner=copy), new_call())
    target = cs.ContainerRef(host_id=ref.host_id, vmid=other.vmid, node="pve1")
    beside = cs.RestoreContainerRequest(
        container=target, owner=copy, archive=volume_id, beside=True, hostname="copy"
    )
    assert (await inventory.finish(await containers.restore_container(beside, new_call()))).succeeded
    found = await containers.get_container(cs.GetContainerRequest(container=target), new_call())
    assert (found.owner, found.name) == (copy, "copy")

    change = cs.UpdateArchiveRequest(host_id=ref.host_id, volume_id=volume_id, protected=True)
    await containers.update_archive(change, new_call())
    change.protected = False
    await containers.update_archive(change, new_call())
    gone = cs.DeleteArchiveRequest(host_id=ref.host_id, volume_id=volume_id)
    assert (await inventory.finish(await containers.delete_archive(gone, new_call()))).succeeded
    assert (await containers.delete_archive(gone, new_call())).upid == ""


@pytest.mark.parametrize("storage", ["local-lvm", "local"])
async def test_a_running_container_is_cloned_where_its_storage_can(
    inventory: Inventory, storage: str
) -> None:
    containers, source = inventory.containers, f"source-{storage}"
    ref = await inventory.create(source, storage=storage)
    await inventory.start(ref, source)
    owner = f"clone-{storage}"
    other = await containers.reserve_vmid(cs.ReserveVmidRequest(host_id=ref.host_id, owner=owner), new_call())
    target = cs.ContainerRef(host_id=ref.host_id, vmid=other.vmid, node="pve1")
    request = cs.CloneContainerRequest(
        source=ref, source_owner=source, target=target, target_owner=owner, hostname="twin"
    )
    if storage == "local":
        with pytest.raises(ContainerRunningError):
            await containers.clone_container(request, new_call())
        return
    assert (await inventory.finish(await containers.clone_container(request, new_call()))).succeeded
    found = await containers.get_container(cs.GetContainerRequest(container=target), new_call())
    assert (found.owner, found.name) == (owner, "twin")
    assert (await containers.clone_container(request, new_call())).upid == ""
    await asyncio.gather(*clone_container._cleaning)
    path = f"/nodes/pve1/lxc/{ref.vmid}/snapshot"
    assert [one["name"] for one in inventory.sim.call("GET", path).data] == ["current"]


async def test_snapshots_come_and_go(inventory: Inventory) -> None:
    ref = await inventory.create("snap", storage="local-lvm")
    request = cs.SnapshotRequest(container=ref, owner="snap", name="before")
    assert (
        await inventory.finish(await inventory.containers.snapshot_container(request, new_call()))
    ).succeeded
    assert (await inventory.containers.snapshot_container(request, new_call())).upid == ""
    assert (
        await inventory.finish(await inventory.containers.rollback_container(request, new_call()))
    ).succeeded
    assert (await inventory.finish(await inventory.containers.delete_snapshot(request, new_call()))).succeeded
    assert (await inventory.containers.delete_snapshot(request, new_call())).upid == ""


async def test_only_own_old_snapshots_are_dropped_and_then_the_container_moves(inventory: Inventory) -> None:
    containers = inventory.containers
    ref = await inventory.create("left", storage="local-lvm")
    for name in ("proximity-clone-9999", "proximity-0a1b2c"):
        request = cs.SnapshotRequest(container=ref, owner="left", name=name)
        assert (await inventory.finish(await containers.snapshot_container(request, new_call()))).succeeded
    drop = cs.DropSnapshotsRequest(container=ref, owner="left", min_age_s=3600)
    assert list((await containers.drop_snapshots(drop, new_call())).names) == []
    move = cs.MigrateContainerRequest(container=ref, owner="left", target_node="pve2")
    assert not (await inventory.finish(await containers.migrate_container(move, new_call()))).succeeded
    drop.min_age_s = 0
    assert len((await containers.drop_snapshots(drop, new_call())).names) == 2
    assert (await inventory.finish(await containers.migrate_container(move, new_call()))).succeeded

    mine = cs.SnapshotRequest(container=ref, owner="left", name="mine")
    assert (await inventory.finish(await containers.snapshot_container(mine, new_call()))).succeeded
    assert list((await containers.drop_snapshots(drop, new_call())).names) == []
    drop.owner = "other"
    with pytest.raises(NotOursError):
        await containers.drop_snapshots(drop, new_call())


async def test_where_a_storage_takes_no_snapshots_that_is_said_at_once(inventory: Inventory) -> None:
    ref = await inventory.create("flat", storage="local")
    request = cs.SnapshotRequest(container=ref, owner="flat", name="before")
    with pytest.raises(SnapshotUnavailableError, match=f"disk of container {ref.vmid}"):
        await inventory.containers.snapshot_container(request, new_call())


async def test_a_container_is_configured_grown_and_moved(inventory: Inventory) -> None:
    ref = await inventory.create("change")
    change = cs.ConfigureContainerRequest(container=ref, owner="change", memory_mb=1024, cores=2, disk_gb=6)
    assert (
        await inventory.finish(await inventory.containers.configure_container(change, new_call()))
    ).succeeded
    assert (await inventory.containers.configure_container(change, new_call())).upid == ""
    move = cs.MigrateContainerRequest(container=ref, owner="change", target_node="pve2")
    assert (await inventory.finish(await inventory.containers.migrate_container(move, new_call()))).succeeded
    found = await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())
    assert (found.node, found.memory, found.cpus) == ("pve2", 1024 * 2**20, 2)
    assert "size=6G" in str(found.config["rootfs"])


async def test_a_container_without_marks_is_adopted_and_released(inventory: Inventory) -> None:
    ref = cs.ContainerRef(host_id=inventory.host.id, vmid=103, node="pve1")
    action = cs.ContainerActionRequest(container=ref, owner="old-files")
    for _ in range(2):
        await inventory.containers.adopt_container(action, new_call())
    found = await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())
    assert (found.owner, found.name) == ("old-files", "old-files")
    for _ in range(2):
        await inventory.containers.release_container(action, new_call())
    with pytest.raises(NotOursError):
        await inventory.containers.start_container(action, new_call())
    found = await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())
    assert list(found.tags) == []


async def test_volumes_go_to_another_container_one_by_one(inventory: Inventory) -> None:
    containers = inventory.containers
    mounts = [cs.MountPoint(path=path, size_gb=1, backup=True) for path in ("/data", "/config")]
    source = await inventory.create("holder", docker=False, mounts=mounts)
    target = await inventory.create("taker", docker=False)
    request = cs.MoveVolumeRequest(source=source, source_owner="holder", target=target, target_owner="taker")
    moved = []
    while (task := await containers.move_volume(request, new_call())).result:
        assert (await inventory.finish(task)).succeeded
        moved.append(task.result)
    assert len(moved) == 2
    found = await containers.get_container(cs.GetContainerRequest(container=target), new_call())
    assert {part for key in ("mp0", "mp1") for part in str(found.config[key]).split(",")} >= {
        "mp=/data",
        "mp=/config",
    }
    request.source_owner = "taker"
    with pytest.raises(NotOursError):
        await containers.move_volume(request, new_call())
    gone = cs.MoveVolumeRequest(
        source=cs.ContainerRef(host_id=source.host_id, vmid=9998, node="pve1"), target=target
    )
    assert (await containers.move_volume(gone, new_call())).result == ""


async def test_a_file_system_that_does_not_grow_fails_the_growth(inventory: Inventory) -> None:
    ref = await inventory.create("stuck", storage="local")
    inventory.sim.client.control("PATCH", "/nodes/pve1", {"missing": ["resize2fs"]})
    try:
        grow = cs.ConfigureContainerRequest(container=ref, owner="stuck", disk_gb=9)
        end = await inventory.finish(await inventory.containers.configure_container(grow, new_call()))
        assert (end.succeeded, end.exit_status) == (False, "OK")
        assert "its file system has not" in end.reason
    finally:
        inventory.sim.client.control("PATCH", "/nodes/pve1", {"missing": []})
