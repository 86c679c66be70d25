"""PlanArchiveRestore, and the restore of an archive of another platform as a new container."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from services.inventory.domain.container_spec import RestoredNetwork
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import ArchiveNotFoundError, ArchiveUnsuitableError
from services.inventory.domain.restore_plans import ArchiveSource, PlanRequest, RestorePlan
from services.inventory.usecases.placement import reserve_vmid
from services.inventory.usecases.plan_restore import plan_archive_restore
from services.inventory.usecases.restore_container import restore_container
from tests.fakes.inventory import InstantInventory
from tests.unit.inventory.backed_up import back_up_container


async def back_up(
    inventory: InstantInventory, *, storage: str = "backup", **config: Any
) -> tuple[ContainerRef, str]:
    ref = await inventory.create("shop")
    inventory.config(ref).update(config)
    return ref, await back_up_container(inventory, ref, storage=storage)


async def plan(
    inventory: InstantInventory, archive: str, *, node: str = "", storage: str = ""
) -> RestorePlan:
    parts, host_id = inventory.parts, inventory.host.id
    source = ArchiveSource(host_id=host_id, volume_id=archive)
    request = PlanRequest(
        source=source, host_id=host_id, node=node, required_storage=storage, is_foreign=True
    )
    return await plan_archive_restore(parts.hosts, parts.fleet, candidates=parts.candidates, request=request)


async def test_the_plan_says_what_the_archive_is_of_and_where_it_fits(inventory: InstantInventory) -> None:
    ref, archive = await back_up(inventory, mp0="local-lvm:vm-9-disk-1,mp=/srv/photos,size=3G")
    found = await plan(inventory, archive, storage="local-lvm")
    archived = found.archived
    assert archived is not None
    assert (archived.vmid, archived.owner, archived.hostname) == (ref.vmid, "shop", "shop")
    assert (archived.architecture, archived.disk_gb) == ("amd64", 4)
    assert archived.omitted == ("mp0 (/srv/photos, 3 GB on local-lvm)",)
    assert archived.size > 0
    assert (found.storage, found.total_required) == ("local-lvm", 7 << 30)
    assert inventory.proxmox.cluster.nodes[found.node].online
    assert (await plan(inventory, archive, node="pve2")).node == "pve2", "the storage is shared"


async def test_what_is_no_archive_of_a_container_is_refused(inventory: InstantInventory) -> None:
    with pytest.raises(ArchiveUnsuitableError, match="virtual machine"):
        await plan(inventory, "backup:backup/vzdump-qemu-100-2026_01_31-12_00_00.vma.zst")
    with pytest.raises(ArchiveUnsuitableError, match="original name"):
        await plan(inventory, "backup:backup/shop.tar.zst")
    with pytest.raises(ArchiveNotFoundError, match="has no archive"):
        await plan(inventory, "backup:backup/vzdump-lxc-100-2026_01_31-12_00_00.tar.zst")


async def test_an_archive_without_its_beginning_is_damaged(inventory: InstantInventory) -> None:
    _, archive = await back_up(inventory)
    volume = inventory.proxmox.cluster.find_volume(archive, "pve1")
    assert volume is not None
    volume.readable = 0
    with pytest.raises(ArchiveUnsuitableError, match="damaged"):
        await plan(inventory, archive)


@pytest.mark.parametrize(
    "config",
    [
        {"hookscript": "local:snippets/hook.pl"},
        {"lxc.net.0.type": "veth"},
        {"lxc.mount.entry": "/srv srv none"},
    ],
    ids=lambda config: next(iter(config)),
)
async def test_options_of_the_former_node_are_refused(
    inventory: InstantInventory, config: dict[str, str]
) -> None:
    _, archive = await back_up(inventory, **config)
    with pytest.raises(ArchiveUnsuitableError, match=next(iter(config))):
        await plan(inventory, archive)


async def test_nodes_and_storages_that_do_not_fit_are_refused(inventory: InstantInventory) -> None:
    _, archive = await back_up(inventory, storage="local")
    with pytest.raises(ArchiveUnsuitableError, match="node pve2: it does not see the storage 'local'"):
        await plan(inventory, archive, node="pve2")
    with pytest.raises(ArchiveUnsuitableError, match="has no storage 'nowhere' for containers"):
        await plan(inventory, archive, storage="nowhere")
    volume = inventory.proxmox.cluster.find_volume(archive, "pve1")
    assert volume is not None
    volume.config = volume.config.replace("size=4G", "size=900T")
    with pytest.raises(ArchiveUnsuitableError, match=r"need 921600\.0 GiB"):
        await plan(inventory, archive)


async def test_network_and_memory_of_the_archive_are_not_those_of_the_new_container(
    inventory: InstantInventory,
) -> None:
    _, archive = await back_up(inventory, net0="name=eth0,bridge=vmbr77,ip=10.9.0.5/24", memory=9_000_000)
    found = await plan(inventory, archive)
    assert found.obstacles == ()
    assert found.warnings == ()


async def test_a_node_with_the_required_storage_is_chosen(inventory: InstantInventory) -> None:
    _, archive = await back_up(inventory)
    for node in ("pve1", "pve2"):
        inventory.proxmox.cluster.storages["local-lvm"].nodes = [node]
        assert (await plan(inventory, archive, storage="local-lvm")).node == node


async def test_a_restored_container_has_its_own_network_and_marks_and_leaves_the_original_alone(
    inventory: InstantInventory,
) -> None:
    ref, archive = await back_up(
        inventory,
        net0="name=eth0,bridge=vmbr9,hwaddr=BC:24:11:00:00:01,ip=10.9.0.5/24,gw=10.9.0.1",
        net1="name=eth1,bridge=vmbr8,hwaddr=BC:24:11:00:00:02,ip=10.8.0.5/24",
        protection=1,
    )
    before = dict(inventory.config(ref))
    parts = inventory.parts
    vmid = await reserve_vmid(parts.vmids, parts.fleet, host_id=inventory.host.id, owner="shop-2")
    new = dataclasses.replace(ref, vmid=vmid)
    network = RestoredNetwork(
        bridge="vmbr0", network_cidr="10.0.0.77/24", gateway="10.0.0.1", vlan_tag=7, nameservers=("9.9.9.9",)
    )

    async def restore() -> None:
        task = await restore_container(
            inventory.lookup,
            new,
            owner="shop-2",
            archive=archive,
            beside=True,
            hostname="moved",
            storage="local-lvm",
            lose_volumes=(),
            hosts=parts.hosts,
            scanner=parts.scanner,
            networks=parts.networks,
            network=network,
        )
        if task.upid:
            assert (await inventory.finish(task)).succeeded

    await restore()
    await restore()  # repeated, it makes no second one
    config = inventory.config(new)
    for part in ("name=eth0", "bridge=vmbr0", "ip=10.0.0.77/24", "gw=10.0.0.1", "tag=7"):
        assert part in config["net0"].split(",")
    assert "BC:24:11:00:00:01" not in config["net0"]
    assert "link_down=1" in config["net1"]
    assert "10.8.0.5" not in config["net1"]
    assert (config["hostname"], config["nameserver"]) == ("moved", "9.9.9.9")
    assert (config["protection"], config["onboot"]) == (0, 1)
    assert config["description"].strip() == "proximity-app: shop-2"
    assert inventory.config(ref) == before
    await inventory.start(new, "shop-2")
    assert "ip=10.0.0.77/24" in inventory.config(new)["net0"], "it is no copy that needs another address"
