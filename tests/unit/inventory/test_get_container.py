"""GetContainer: a container of any owner as it is now."""

from __future__ import annotations

import dataclasses

import pytest
from proximity.inventory.v1 import container_service_pb2

from services.clients.inventory.convert import parse_container
from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.convert.containers import render_container
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import HostInactiveError, HostUnreachableError
from services.inventory.domain.patches import HostChanges
from services.inventory.usecases.containers import get_container
from tests.fakes.inventory import InstantInventory, SilentHosts
from tests.pvesim.model.reading import measure


async def test_sizes_owner_and_address_are_those_of_the_container(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    inventory.config(ref)["env"] = "SECRET=1"
    found = await get_container(inventory.lookup, ref)
    assert (found.name, found.status, found.owner, found.named_owner) == ("shop", "running", "shop", "shop")
    assert (found.memory, found.disk, found.cpus) == (512 << 20, 4 << 30, 1)
    assert found.ip_address
    assert "env" not in found.config, "variables may be secrets"


async def test_its_disks_reach_the_callers_as_values(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    inventory.config(ref)["mp0"] = "local-lvm:vm-9000-disk-1,mp=/data,size=4G"
    inventory.config(ref)["mp1"] = "/srv/photos,mp=/photos"
    inventory.config(ref)["mpx"] = "mp=/none"
    found = parse_container(render_container(await get_container(inventory.lookup, ref)))
    assert (found.mounts, found.bare) == (("/data", "/photos"), False)
    del inventory.config(ref)["rootfs"]
    assert parse_container(render_container(await get_container(inventory.lookup, ref))).bare
    of_a_list = parse_container(container_service_pb2.Container(vmid=9000))
    assert (of_a_list.mounts, of_a_list.bare) == (None, False)


async def test_the_load_of_an_idle_container_is_not_negative(inventory: InstantInventory) -> None:
    containers = inventory.proxmox.cluster.containers
    idle = containers[144] = dataclasses.replace(containers[101], vmid=144)
    assert measure(inventory.proxmox.cluster, idle)["cpu"] < 0, "as Proxmox says of some"
    found = await get_container(inventory.lookup, ContainerRef(inventory.host.id, 144, "pve1"))
    assert found.cpu_usage == 0


async def test_a_container_of_nobody_has_no_owner(inventory: InstantInventory) -> None:
    found = await get_container(inventory.lookup, inventory.stranger)
    assert (found.name, found.owner, found.named_owner) == ("intranet", None, "")


async def test_it_is_found_on_whatever_node_it_is(inventory: InstantInventory) -> None:
    found = await get_container(inventory.lookup, ContainerRef(inventory.host.id, 102, "pve1"))
    assert (found.node, found.name) == ("pve3", "wiki")


async def test_not_found_switched_off_and_silent_are_told_apart(inventory: InstantInventory) -> None:
    with pytest.raises(ContainerNotFoundError, match="9999"):
        await get_container(inventory.lookup, ContainerRef(inventory.host.id, 9999))
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await get_container(inventory.lookup, inventory.stranger)
    await inventory.parts.hosts.update_host(inventory.host.id, HostChanges(is_active=False))
    with pytest.raises(HostInactiveError, match="'pve' is switched off"):
        await get_container(inventory.lookup, inventory.stranger)
