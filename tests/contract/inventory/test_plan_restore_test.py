"""PlanRestoreTest: a node that sees the archive, room for it, and what makes a test impossible."""

from __future__ import annotations

import pytest
from proximity.inventory.v1 import restore_test_pb2 as pb

from services.inventory.domain.errors import (
    ArchiveUnreadableError,
    NoRoomError,
    RestoreTestUnsupportedError,
)
from tests.contract.inventory.archives import back_up
from tests.contract.inventory.conftest import Inventory, new_call


@pytest.mark.parametrize(
    ("bridge", "why"), [("vmbr0", "is not isolated"), ("vmbr9", "has no bridge vmbr9"), ("", "")]
)
async def test_a_bridge_that_is_not_isolated_is_not_used(inventory: Inventory, bridge: str, why: str) -> None:
    ref = await inventory.create("wiki")
    archive = await back_up(inventory, ref, "wiki")
    request = pb.PlanRestoreTestRequest(host_id=ref.host_id, archive=archive, bridge=bridge, node="pve2")
    plan = await inventory.containers.plan_restore_test(request, new_call())
    assert (plan.node, plan.bridge) == ("pve2", ""), (
        "the storage is shared: the preferred node sees the archive"
    )
    assert why in " ".join(plan.notes)


async def test_an_archive_without_its_beginning_has_no_configuration(inventory: Inventory) -> None:
    ref = await inventory.create("headless")
    archive = await back_up(inventory, ref, "headless")
    inventory.sim.client.control("PATCH", "/volumes", {"volid": archive, "readable": 0})
    request = pb.PlanRestoreTestRequest(host_id=ref.host_id, archive=archive)
    with pytest.raises(ArchiveUnreadableError, match="contains no configuration file"):
        await inventory.containers.plan_restore_test(request, new_call())


async def test_space_and_memory_are_checked_first(inventory: Inventory) -> None:
    ref = await inventory.create("large")
    archive = await back_up(inventory, ref, "large")
    request = pb.PlanRestoreTestRequest(host_id=ref.host_id, archive=archive)
    config = "memory: 512\nrootfs: local:9000/vm-9000-disk-0.raw,size=5000G\n"
    inventory.sim.client.control("PATCH", "/volumes", {"volid": archive, "config": config})
    with pytest.raises(NoRoomError, match=r"needs 5000.0 GB, and storage .* GB free"):
        await inventory.containers.plan_restore_test(request, new_call())
    config = "memory: 900000\nrootfs: local:9000/vm-9000-disk-0.raw,size=4G\n"
    inventory.sim.client.control("PATCH", "/volumes", {"volid": archive, "config": config})
    with pytest.raises(NoRoomError, match="needs 900000 MB of memory"):
        await inventory.containers.plan_restore_test(request, new_call())


@pytest.mark.parametrize("line", ["lxc.mount.entry: /srv srv none bind", "lxc.net.0.type: veth"])
async def test_raw_lines_that_reach_the_node_make_a_test_impossible(inventory: Inventory, line: str) -> None:
    ref = await inventory.create("raw")
    archive = await back_up(inventory, ref, "raw")
    config = f"memory: 512\nrootfs: local:9000/vm-9000-disk-0.raw,size=4G\n{line}\n"
    inventory.sim.client.control("PATCH", "/volumes", {"volid": archive, "config": config})
    request = pb.PlanRestoreTestRequest(host_id=ref.host_id, archive=archive)
    with pytest.raises(RestoreTestUnsupportedError, match=line.partition(":")[0]):
        await inventory.containers.plan_restore_test(request, new_call())
