"""CreateContainer: a container with the owner's marks under the reserved id, made once."""

from __future__ import annotations

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.container_spec import ContainerSpec, MountPoint
from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.errors import (
    CreationBrokenError,
    StorageNotFoundError,
    TemplateNotFoundError,
    VmidTakenError,
)
from services.inventory.usecases.create_container import CreationContext, create_container
from tests.fakes.inventory import InstantInventory


async def create(
    inventory: InstantInventory, ref: ContainerRef, owner: str = "shop", **spec: object
) -> ProxmoxTask:
    context = CreationContext(inventory.parts.access, inventory.parts.networks)
    values = {"hostname": "web", "memory_mb": 512, "cores": 1, "disk_gb": 4, **spec}
    wanted = ContainerSpec(**values)  # type: ignore[arg-type]  # of the test's choice
    return await create_container(inventory.lookup, context, ref=ref, owner=owner, wanted=wanted)


async def reserve(inventory: InstantInventory, owner: str = "shop") -> ContainerRef:
    vmid = await inventory.parts.vmids.reserve_vmid(inventory.host.id, owner, taken=set())
    return ContainerRef(inventory.host.id, vmid, "pve1")


async def test_a_container_has_the_marks_of_its_owner_and_what_was_wanted(
    inventory: InstantInventory,
) -> None:
    ref = await reserve(inventory)
    mounts = (MountPoint(path="/data", size_gb=2, backup=False),)
    task = await create(inventory, ref, docker=True, mounts=mounts, nameservers=("9.9.9.9",))
    assert (await inventory.finish(task)).succeeded
    config = inventory.config(ref)
    assert (config["tags"], config["description"]) == ("proximity", "proximity-app: shop")
    assert (config["memory"], config["features"]) == (512, "nesting=1,keyctl=1")
    assert "mp=/data" in config["mp0"]
    assert config["nameserver"] == "9.9.9.9"
    assert (await create(inventory, ref)).upid == "", "a repetition has nothing to do"


async def test_an_id_that_is_not_reserved_for_the_owner_is_refused(inventory: InstantInventory) -> None:
    with pytest.raises(VmidTakenError, match="9005 is not reserved for shop"):
        await create(inventory, ContainerRef(inventory.host.id, 9005, "pve1"))
    with pytest.raises(VmidTakenError, match="101"):
        await create(inventory, inventory.stranger)
    ref = await inventory.create("blog")
    with pytest.raises(VmidTakenError, match="blog"):
        await create(inventory, ref, "shop")
    assert "proximity-app: blog" in inventory.config(ref)["description"]


async def test_what_an_earlier_creation_left_is_not_taken_for_the_container(
    inventory: InstantInventory,
) -> None:
    ref = await inventory.create("shop")
    config = inventory.config(ref)
    config.pop("tags")
    config.pop("description")
    inventory.lock(ref, "create")
    with pytest.raises(CreationBrokenError, match="destroy what is left"):
        await create(inventory, ref)


async def test_a_storage_a_template_and_options_that_do_not_exist_are_named(
    inventory: InstantInventory,
) -> None:
    ref = await reserve(inventory)
    with pytest.raises(StorageNotFoundError, match="'tape'"):
        await create(inventory, ref, storage="tape")
    with pytest.raises(TemplateNotFoundError, match="gentoo"):
        await create(inventory, ref, template="gentoo")
    with pytest.raises(InvalidError, match=r"mounts\.path"):
        await create(inventory, ref, mounts=(MountPoint(path="/a,mp=/b", size_gb=1),))
    assert ref.vmid not in inventory.proxmox.cluster.containers
