"""Locks, missing quorum, the HA manager and nodes that are down, against the simulated Proxmox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.core.errors import DomainError, is_waiting
from services.common.operations.model import find_wait
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import (
    ContainerCreatingError,
    ContainerLockedError,
    HostCredentialsRefusedError,
    HostUnreachableError,
    NotOursError,
    QuorumMissingError,
    TaskNotFoundError,
    VmidTakenError,
)
from services.inventory.domain.patches import HostChanges
from services.inventory.proxmox import failover
from services.inventory.usecases.ownership import adopt_container
from tests.contract.inventory.conftest import Inventory, new_call


def control(inventory: Inventory, verb: str, path: str, body: Any = None) -> Any:
    return inventory.sim.client.control(verb, path, body)


def request(ref: cs.ContainerRef, owner: str) -> cs.ContainerActionRequest:
    return cs.ContainerActionRequest(container=ref, owner=owner)


async def read(inventory: Inventory, ref: cs.ContainerRef) -> cs.Container:
    return await inventory.containers.get_container(cs.GetContainerRequest(container=ref), new_call())


@pytest.mark.parametrize("lock", ["backup", "snapshot", "migrate", "disk"])
async def test_what_changes_a_locked_container_waits(inventory: Inventory, lock: str) -> None:
    owner, containers = f"locked-{lock}", inventory.containers
    ref = await inventory.create(owner)
    control(inventory, "PATCH", f"/containers/{ref.vmid}", {"lock": lock})
    stranger = control(
        inventory, "POST", "/containers", {"hostname": f"nightly-{lock}", "config": {"lock": lock}}
    )
    foreign = cs.ContainerRef(host_id=ref.host_id, vmid=stranger["vmid"], node="pve1")
    writes: list[Callable[[], Awaitable[Any]]] = [
        lambda: containers.adopt_container(request(foreign, "adopter"), new_call()),
        lambda: containers.release_container(request(ref, owner), new_call()),
        lambda: containers.configure_container(
            cs.ConfigureContainerRequest(container=ref, owner=owner, memory_mb=1024), new_call()
        ),
        lambda: containers.configure_container(
            cs.ConfigureContainerRequest(container=ref, owner=owner, disk_gb=9), new_call()
        ),
        lambda: containers.backup_container(
            cs.BackupContainerRequest(container=ref, owner=owner, mode="snapshot", backup_id="1"), new_call()
        ),
        lambda: containers.start_container(request(ref, owner), new_call()),
        lambda: containers.destroy_container(request(ref, owner), new_call()),
        lambda: containers.migrate_container(
            cs.MigrateContainerRequest(container=ref, owner=owner, target_node="pve2"), new_call()
        ),
    ]
    said: list[str] = []
    for write in writes:
        with pytest.raises(ContainerLockedError, match=lock) as caught:
            await write()
        assert is_waiting(caught.value)
        said.append(caught.value.message)
    assert any(f"`pct unlock {ref.vmid}` there helps" in one for one in said), "no task works on it"
    control(inventory, "PATCH", f"/containers/{ref.vmid}", {"lock": None})
    task = await containers.configure_container(
        cs.ConfigureContainerRequest(container=ref, owner=owner, memory_mb=1024), new_call()
    )
    assert (await inventory.finish(task)).succeeded


async def test_a_missing_quorum_and_a_lock_that_proxmox_names_are_waited_for(inventory: Inventory) -> None:
    ref = await inventory.create("voter")
    for reason, refusal in (
        ("cluster not ready - no quorum?", QuorumMissingError),
        ("CT is locked (backup)", ContainerLockedError),
    ):
        rule = {
            "kind": "error",
            "match": {"method": "POST", "path": "/status/start$"},
            "status": 500,
            "reason": reason,
        }
        control(inventory, "POST", "/faults", [rule])
        with pytest.raises(refusal) as caught:
            await inventory.containers.start_container(request(ref, "voter"), new_call())
        assert find_wait(caught.value) is not None
        control(inventory, "DELETE", "/faults")


async def test_refused_credentials_and_a_host_that_is_switched_off_are_waited_for(
    inventory: Inventory,
) -> None:
    ref = await inventory.create("waiter")
    await inventory.store.update_host(inventory.host.id, HostChanges(is_active=False))
    with pytest.raises(DomainError, match="switched off") as caught:
        await read(inventory, ref)
    assert find_wait(caught.value) is not None
    await inventory.store.update_host(inventory.host.id, HostChanges(is_active=True, password="wrong"))
    with pytest.raises(HostCredentialsRefusedError) as refused:
        await read(inventory, ref)
    assert find_wait(refused.value) is not None
    await inventory.store.update_host(inventory.host.id, HostChanges(password="secret123"))
    assert (await read(inventory, ref)).vmid == ref.vmid


async def move_to_pve2(inventory: Inventory, ref: cs.ContainerRef, owner: str) -> cs.ContainerRef:
    """pve1 is the node that the API is asked through."""
    move = cs.MigrateContainerRequest(container=ref, owner=owner, target_node="pve2")
    assert (await inventory.finish(await inventory.containers.migrate_container(move, new_call()))).succeeded
    return cs.ContainerRef(host_id=ref.host_id, vmid=ref.vmid, node="pve2")


async def wait_for_move(inventory: Inventory, ref: cs.ContainerRef) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                found = await read(inventory, ref)
            except HostUnreachableError:
                await asyncio.sleep(0.05)
            else:
                assert found.node != ref.node
                return


async def test_a_container_is_where_proxmox_says_while_its_former_node_is_down(inventory: Inventory) -> None:
    ref = await move_to_pve2(inventory, await inventory.create("mover"), "mover")
    control(inventory, "PATCH", f"/containers/{ref.vmid}", {"ha_seconds": 0})
    upid = f"UPID:pve2:00000001:00000001:65000000:vzstart:{ref.vmid}:root@pam:"
    client = await inventory.fleet.get_client(ref.host_id)
    control(inventory, "PATCH", "/nodes/pve2", {"online": False})
    try:
        await wait_for_move(inventory, ref)
        listed = await inventory.containers.list_container_tasks(
            cs.ListContainerTasksRequest(container=ref), new_call()
        )
        assert not listed.tasks
        await inventory.start(ref, "mover")
        assert (await read(inventory, ref)).status == "running"
        await failover.stop_task(client, "pve2", upid=upid)
        with pytest.raises(TaskNotFoundError, match="ended with its node"):
            await anext(failover.watch_task(client, "pve2", upid=upid))
    finally:
        control(inventory, "PATCH", "/nodes/pve2", {"online": True})


async def test_what_does_not_move_from_a_node_that_is_down_is_waited_for(inventory: Inventory) -> None:
    ref = await move_to_pve2(inventory, await inventory.create("stayer"), "stayer")
    control(inventory, "PATCH", "/nodes/pve2", {"online": False})
    try:
        for look in (
            lambda: read(inventory, ref),
            lambda: inventory.containers.list_container_tasks(
                cs.ListContainerTasksRequest(container=ref), new_call()
            ),
        ):
            with pytest.raises(HostUnreachableError) as caught:
                await look()
            assert find_wait(caught.value) is not None
    finally:
        control(inventory, "PATCH", "/nodes/pve2", {"online": True})


async def test_the_ha_manager_is_believed_only_when_the_container_has_changed(inventory: Inventory) -> None:
    ref = await inventory.create("managed")
    control(inventory, "PATCH", f"/containers/{ref.vmid}", {"ha_seconds": 1.5})
    for act, status in (
        (inventory.containers.start_container, "running"),
        (inventory.containers.stop_container, "stopped"),
    ):
        task = await act(request(ref, "managed"), new_call())
        assert task.upid.split(":")[5] in {"hastart", "hastop"}
        assert (await inventory.finish(task)).succeeded
        assert (await read(inventory, ref)).status == status
    await inventory.containers.destroy_container(request(ref, "managed"), new_call())


async def test_an_ha_manager_that_does_nothing_fails_the_request(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "_PATIENCE_S", 0.5)
    ref = await inventory.create("stuck")
    control(inventory, "PATCH", f"/containers/{ref.vmid}", {"ha_seconds": 3600})
    ended = await inventory.finish(
        await inventory.containers.start_container(request(ref, "stuck"), new_call())
    )
    assert not ended.succeeded
    assert "did not bring container" in ended.exit_status


async def test_the_ha_manager_moves_a_container_some_time_after_the_request(inventory: Inventory) -> None:
    ref = await inventory.create("shifted")
    await inventory.start(ref, "shifted")
    control(inventory, "PATCH", f"/containers/{ref.vmid}", {"ha_seconds": 0.3})
    move = cs.MigrateContainerRequest(container=ref, owner="shifted", target_node="pve2")
    task = await inventory.containers.migrate_container(move, new_call())
    assert task.upid.split(":")[5] == "hamigrate"
    assert (await inventory.finish(task)).succeeded
    for _ in range(1200):
        if (await read(inventory, ref)).node == "pve2":
            return
        await asyncio.sleep(0.05)
    pytest.fail("the HA manager did not move the container")


@pytest.mark.parametrize("body", ["<html>Sign in</html>", '{"data": {"name": "caf\xe9"}}', '{"data": {"na'])
async def test_an_answer_that_is_not_of_proxmox_is_waited_for(inventory: Inventory, body: str) -> None:
    ref = await inventory.create("answered")
    odd = {"kind": "answer", "match": {"path": f"/lxc/{ref.vmid}/"}, "body": body}
    control(inventory, "POST", "/faults", [odd])
    with pytest.raises(HostUnreachableError) as caught:
        await read(inventory, ref)
    control(inventory, "DELETE", "/faults")
    assert find_wait(caught.value) is not None
    assert (await read(inventory, ref)).vmid == ref.vmid


async def test_a_move_that_proxmox_refuses_names_the_reason_in_its_log(inventory: Inventory) -> None:
    ref = await inventory.create("bound", storage="local-lvm")
    snapshot = cs.SnapshotRequest(container=ref, owner="bound", name="theirs")
    assert (
        await inventory.finish(await inventory.containers.snapshot_container(snapshot, new_call()))
    ).succeeded
    move = cs.MigrateContainerRequest(container=ref, owner="bound", target_node="pve2")
    ended = await inventory.finish(await inventory.containers.migrate_container(move, new_call()))
    assert (ended.succeeded, ended.exit_status) == (False, "migration aborted")
    assert "non-migratable snapshot exists" in ended.reason


async def test_an_id_that_somebody_else_took_meanwhile_is_not_followed(inventory: Inventory) -> None:
    """The other one signs in as we do, and its creation shows no marks before it has ended."""
    owner = "racer"
    reserved = await inventory.containers.reserve_vmid(
        cs.ReserveVmidRequest(host_id=inventory.host.id, owner=owner), new_call()
    )
    control(
        inventory, "POST", "/faults", [{"kind": "task_hang", "match": {"type": "vzcreate"}, "seconds": 1.0}]
    )
    client = await inventory.fleet.get_client(inventory.host.id)
    options = {"ostemplate": "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "rootfs": "local-lvm:4"}
    await client.post("/nodes/pve1/lxc", vmid=reserved.vmid, hostname="other", **options)
    ref = cs.ContainerRef(host_id=inventory.host.id, vmid=reserved.vmid, node="pve1")
    ours = cs.CreateContainerRequest(
        container=ref, owner=owner, hostname="web", memory_mb=512, cores=1, disk_gb=4
    )
    with pytest.raises(ContainerCreatingError) as caught:
        await inventory.containers.create_container(ours, new_call())
    assert find_wait(caught.value) is not None
    async with asyncio.timeout(60):
        while True:
            try:
                await inventory.containers.create_container(ours, new_call())
            except ContainerCreatingError:
                await asyncio.sleep(0.1)
            except VmidTakenError:
                break
    control(inventory, "DELETE", "/faults")


async def test_a_container_of_another_mark_is_adopted_only_instead_of_that_one(inventory: Inventory) -> None:
    ref = await inventory.create("first")
    await inventory.vmids.release_vmid(ref.host_id, "first")
    place = ContainerRef(ref.host_id, ref.vmid, ref.node)
    with pytest.raises(NotOursError, match="carries the mark of 'first'"):
        await adopt_container(
            inventory.parts.lookup, inventory.parts.networks, ref=place, owner="second", instead_of="third"
        )
    adopt = cs.ContainerActionRequest(container=ref, owner="second", instead_of="first")
    for _ in range(2):
        await inventory.containers.adopt_container(adopt, new_call())
    assert (await read(inventory, ref)).owner == "second"


async def test_the_size_of_a_disk_is_that_of_its_configuration_and_half_a_cpu_is_one(
    inventory: Inventory,
) -> None:
    stranger = control(
        inventory,
        "POST",
        "/containers",
        {"hostname": "half", "running": True, "storage": "local-lvm", "config": {"cpulimit": "0.5"}},
    )
    control(inventory, "PATCH", f"/containers/{stranger['vmid']}", {"cores": None, "cpulimit": "1.5"})
    ref = cs.ContainerRef(host_id=inventory.host.id, vmid=stranger["vmid"], node="pve1")
    found = await read(inventory, ref)
    assert found.disk % (1 << 30) == 0
    assert found.disk >= 1 << 30
    assert found.cpus == 2
