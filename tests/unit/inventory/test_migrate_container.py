"""MigrateContainer: a container moves to another node of its cluster."""

from __future__ import annotations

import pytest

from services.inventory.domain.errors import ContainerLockedError, NodeUnknownError, NotOursError
from services.inventory.usecases.migrate_container import migrate_container
from tests.fakes.inventory import InstantInventory


async def test_a_container_moves_once(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    task = await migrate_container(inventory.lookup, ref, owner="shop", target_node="pve2")
    assert (await inventory.finish(task)).succeeded
    assert inventory.proxmox.cluster.containers[ref.vmid].node == "pve2"
    again = await migrate_container(inventory.lookup, ref, owner="shop", target_node="pve2")
    assert again.upid == "", "the node of a reference is a hint: it is there already"


async def test_a_running_container_runs_on_the_other_node(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    task = await migrate_container(inventory.lookup, ref, owner="shop", target_node="pve3")
    assert (await inventory.finish(task)).succeeded
    assert inventory.is_running(ref)


async def test_unknown_nodes_others_and_locks_refuse_it(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    with pytest.raises(NodeUnknownError, match="'pve9'"):
        await migrate_container(inventory.lookup, ref, owner="shop", target_node="pve9")
    with pytest.raises(NotOursError):
        await migrate_container(inventory.lookup, ref, owner="blog", target_node="pve2")
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await migrate_container(inventory.lookup, ref, owner="shop", target_node="pve2")
    assert inventory.proxmox.cluster.containers[ref.vmid].node == "pve1"
