"""A restore in place gives the volumes of an adopted container other ids, and nothing else another value."""

from __future__ import annotations

from tests.chaos.checks.strangers import check_strangers
from tests.chaos.evidence import Evidence
from tests.unit.chaos.scenes import (
    adopt_stranger,
    change_proxmox,
    make_container,
    make_task,
    make_volume,
    make_world,
)


def restore_adopted(rootfs: str, *tasks: str) -> Evidence:
    """Replace the volume of the adopted container 101, by these tasks."""
    world = make_world()
    volumes = [
        make_volume("rootdir", rootfs.split(",", maxsplit=1)[0], vmid=101),
        *world.after["volumes"][1:],
    ]
    restored = adopt_stranger(world, make_container(101, "custom-1", rootfs=rootfs))
    return change_proxmox(
        restored, volumes=volumes, tasks=[make_task(kind, f"{kind}-101", id="101") for kind in tasks]
    )


def test_a_restored_container_has_other_volumes() -> None:
    assert not list(check_strangers(restore_adopted("local-lvm:vm-101-disk-1", "vzrestore")))


def test_a_volume_that_was_replaced_without_a_restore_is_a_fault() -> None:
    violations = list(check_strangers(restore_adopted("local-lvm:vm-101-disk-1", "vzdump")))
    assert any("rootfs of the stranger's container 101" in one for one in violations)
    assert any("volume local-lvm:vm-101-disk-0 of others is gone" in one for one in violations)


def test_a_volume_has_its_size_after_a_restore() -> None:
    (violation,) = check_strangers(restore_adopted("local-lvm:vm-101-disk-1,size=2G", "vzrestore"))
    assert "rootfs of the stranger's container 101" in violation
