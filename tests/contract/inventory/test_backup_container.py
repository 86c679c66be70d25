"""BackupContainer: whose run of vzdump it is, its archive, and why it failed."""

from __future__ import annotations

import asyncio
import re

from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import (
    ContainerLockedError,
)
from tests.contract.inventory.archives import (
    make_backup,
)
from tests.contract.inventory.conftest import Inventory, new_call

LIMIT_S = 60.0


async def test_a_strangers_run_is_neither_followed_nor_taken_for_ours(inventory: Inventory) -> None:
    ref = await inventory.create("mine")
    hold = {"kind": "task_hang", "match": {"type": "vzdump"}, "times": 1, "seconds": 1.5}
    inventory.sim.client.control("POST", "/faults", [hold])
    client = await inventory.fleet.get_client(ref.host_id)
    theirs = await client.post(f"/nodes/{ref.node}/vzdump", vmid=ref.vmid, storage="backup", remove=0)
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                ours = await inventory.containers.backup_container(make_backup(ref, "mine"), new_call())
                break
            except ContainerLockedError:  # by their run, until that has ended
                await asyncio.sleep(0.1)
    assert ours.upid
    assert ours.upid != theirs
    again = await inventory.containers.backup_container(make_backup(ref, "mine"), new_call())
    assert again.upid in ("", ours.upid), "the own run is found by its notes"
    assert (await inventory.finish(ours)).succeeded


async def test_the_own_run_is_found_again_and_its_archive_is_named_while_it_is_written(
    inventory: Inventory,
) -> None:
    ref = await inventory.create("slow")
    task = await inventory.containers.backup_container(make_backup(ref, "slow"), new_call())
    end = await inventory.finish(task)
    assert re.fullmatch(rf"backup:backup/vzdump-lxc-{ref.vmid}-\S+\.tar\.zst", end.result)
    done = await inventory.containers.backup_container(make_backup(ref, "slow"), new_call())
    assert (done.upid, done.result) == ("", end.result)
    edit = cs.UpdateArchiveRequest(host_id=ref.host_id, volume_id=end.result, notes="theirs now")
    await inventory.containers.update_archive(edit, new_call())
    done = await inventory.containers.backup_container(make_backup(ref, "slow"), new_call())
    assert done.result == end.result, "the mark stays the first line"


async def test_the_reason_of_a_failed_backup_is_the_error_of_its_log(inventory: Inventory) -> None:
    ref = await inventory.create("full")
    fail = {"kind": "storage_full", "match": {"type": "vzdump"}, "times": 1}
    inventory.sim.client.control("POST", "/faults", [fail])
    task = await inventory.containers.backup_container(make_backup(ref, "full"), new_call())
    end = await inventory.finish(task)
    assert not end.succeeded
    assert "No space left on device" in end.reason


async def test_backups_in_one_second_are_two_archives(inventory: Inventory) -> None:
    """Proxmox names archives by the second, and replaces one of the same name."""
    ref = await inventory.create("twice")

    async def make(backup_id: str) -> str:
        request = make_backup(ref, "twice", backup_id=backup_id)
        task = await inventory.containers.backup_container(request, new_call())
        return (await inventory.finish(task)).result or task.result

    made = {await make("first"), await make("second")}
    assert len(made) == 2
    listed = await inventory.containers.list_archives(
        cs.ListArchivesRequest(host_id=ref.host_id, vmid=ref.vmid), new_call()
    )
    assert {one.volume_id for one in listed.archives} >= made
