"""ConfigureContainer: options change, variables change, disks grow and never shrink."""

from __future__ import annotations

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.errors import ContainerLockedError, NotOursError
from services.inventory.domain.patches import ContainerOptions
from services.inventory.usecases.configure_container import configure_container
from tests.fakes.inventory import InstantInventory


async def test_named_options_change_and_the_disk_grows(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    changes = ContainerOptions(memory_mb=1024, swap_mb=64, cores=2, hostname="new")
    task = await configure_container(inventory.lookup, ref, owner="shop", changes=changes, disk_gb=6)
    assert (await inventory.finish(task)).succeeded
    config = inventory.config(ref)
    assert [config[name] for name in ("memory", "swap", "cores", "hostname")] == [1024, 64, 2, "new"]
    assert "size=6G" in config["rootfs"]
    again = await configure_container(inventory.lookup, ref, owner="shop", changes=changes, disk_gb=5)
    assert again.upid == ""
    assert "size=6G" in config["rootfs"], "disks never shrink"


async def test_variables_are_merged_with_those_that_are_there(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    inventory.config(ref)["env"] = "A=1\0B=2"
    await configure_container(
        inventory.lookup,
        ref,
        owner="shop",
        changes=ContainerOptions(),
        environment={"C": "3"},
        dropped_variables=("A",),
    )
    assert inventory.config(ref)["env"] == "B=2\0C=3"
    with pytest.raises(InvalidError, match="environment"):
        await configure_container(
            inventory.lookup, ref, owner="shop", changes=ContainerOptions(), environment={"C": "3\0D=4"}
        )


async def test_a_locked_container_and_one_of_others_stay_as_they_are(inventory: InstantInventory) -> None:
    ref = await inventory.create()
    with pytest.raises(NotOursError):
        await configure_container(inventory.lookup, ref, owner="blog", changes=ContainerOptions(cores=4))
    inventory.lock(ref)
    with pytest.raises(ContainerLockedError):
        await configure_container(inventory.lookup, ref, owner="shop", changes=ContainerOptions(cores=4))
    assert inventory.config(ref)["cores"] == 1
