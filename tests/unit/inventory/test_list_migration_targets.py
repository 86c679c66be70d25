"""ListMigrationTargets: the nodes that a container fits, and why it does not fit the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import HostUnreachableError, NotOursError
from services.inventory.domain.migration import MigrationTarget, find_obstacle
from services.inventory.domain.placement import Candidate
from services.inventory.domain.storages import StorageOnNode
from services.inventory.usecases.list_migration_targets import list_migration_targets
from services.inventory.usecases.migrate_container import migrate_container
from tests.fakes.inventory import InstantInventory, SilentHosts

GIB = 1 << 30
CONFIG = {"rootfs": "tank:subvol-1,size=8G", "net0": "name=eth0,bridge=vmbr0", "memory": 1024}


async def read(inventory: InstantInventory, ref: ContainerRef) -> dict[str, MigrationTarget]:
    parts = inventory.parts
    node, found = await list_migration_targets(
        parts.hosts, inventory.lookup, candidates=parts.candidates, ref=ref, owner="shop"
    )
    assert node not in {one.node for one in found}
    return {one.node: one for one in found}


async def test_a_node_that_fits_takes_the_container(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    found = await read(inventory, ref)
    assert {"pve1", "pve2", "pve3"} - found.keys() == {ref.node}
    fitting = [name for name, one in found.items() if not one.obstacle]
    assert fitting
    assert list(found)[: len(fitting)] == fitting, "those that fit come first"
    task = await migrate_container(inventory.lookup, ref, owner="shop", target_node=fitting[0])
    await inventory.finish(task)
    assert ref.node in await read(inventory, dataclasses.replace(ref, node=fitting[0]))


async def test_an_offline_node_says_so(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    down = next(name for name in ("pve3", "pve2") if name != ref.node)
    inventory.proxmox.cluster.nodes[down].online = False
    found = await read(inventory, ref)
    assert (found[down].online, found[down].obstacle) == (False, "it is offline")


async def test_little_free_memory_speaks_against_a_node_that_takes_the_container(
    inventory: InstantInventory,
) -> None:
    ref = await inventory.create()
    before = await read(inventory, ref)
    first, second = (name for name, one in before.items() if not one.obstacle)
    inventory.proxmox.cluster.nodes[first].memory_used = inventory.proxmox.cluster.nodes[first].memory
    found = await read(inventory, ref)
    assert [name for name, one in found.items() if not one.obstacle] == [second, first]
    assert "of memory free; the container has" in found[first].warning
    assert found[second].warning == ""


async def test_foreign_containers_and_silent_hosts_are_refused(inventory: InstantInventory) -> None:
    with pytest.raises(NotOursError):
        await read(inventory, inventory.stranger)
    ref = await inventory.create()
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await read(inventory, ref)


def make_storage(**changes: Any) -> StorageOnNode:
    values = {
        "name": "tank",
        "node": "b",
        "shared": False,
        "available": True,
        "total": 100.0 * GIB,
        "used": 0.0,
    }
    return StorageOnNode(**{**values, **changes})


def make_target(**changes: Any) -> Candidate:
    return dataclasses.replace(
        Candidate(1, "pve", "b", online=True, free_memory=4.0 * GIB, architecture="amd64"), **changes
    )


def judge(*storages: StorageOnNode, config: dict[str, str] | None = None, **changes: Any) -> str:
    return find_obstacle(
        {**CONFIG, **(config or {})},
        source=Candidate(1, "pve", "a", online=True, architecture="amd64"),
        target=make_target(**changes),
        storages=storages or (make_storage(),),
        bridges=frozenset({"vmbr0"}),
    )


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (judge, ""),
        (lambda: judge(online=False), "it is offline"),
        (lambda: judge(architecture="arm64"), "it is of arm64, and the container of amd64"),
        (lambda: judge(architecture=""), ""),
        (lambda: judge(free_memory=0.5 * GIB), ""),
        (lambda: judge(make_storage(node="c")), "it has no storage 'tank', which rootfs is on"),
        (lambda: judge(make_storage(available=False)), "it has no storage 'tank', which rootfs is on"),
        (
            lambda: judge(make_storage(used=95.0 * GIB)),
            "its storage 'tank' has 5.0 GiB free; the disks have 8.0 GiB",
        ),
        (lambda: judge(make_storage(used=95.0 * GIB, shared=True)), ""),
        (lambda: judge(config={"net1": "name=eth1,bridge=vmbr9"}), "it has no bridge 'vmbr9'"),
        (
            lambda: judge(config={"mp0": "/srv/photos,mp=/photos"}),
            "mp0 (/photos, the host's /srv/photos) is of the node that it is on now",
        ),
        (lambda: judge(config={"mp0": "/mnt/nas,mp=/photos,shared=1"}), ""),
    ],
)
def test_each_obstacle_is_named(check: Callable[[], str], why: str) -> None:
    assert check() == why
