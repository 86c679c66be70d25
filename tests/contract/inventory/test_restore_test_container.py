"""RestoreTestContainer: an isolated container of an archive, and its end."""

from __future__ import annotations

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import restore_test_pb2 as pb

from services.inventory.domain.errors import (
    NotOursError,
)
from tests.contract.inventory.archives import MAIL, PHOTOS, add_tank, back_up, read_config, set_config
from tests.contract.inventory.conftest import Inventory, new_call
from tests.contract.inventory.restore_tests import TEST, destroy, restore


async def test_the_container_of_a_test_has_nothing_of_the_original_but_its_data(inventory: Inventory) -> None:
    add_tank(inventory)
    ref = await inventory.create("shop", network_cidr="10.20.30.40/24", gateway="10.20.30.1")
    await set_config(
        inventory,
        ref,
        mp0=PHOTOS,
        mp1=MAIL,
        net1="name=eth1,bridge=vmbr1,ip=dhcp",
        onboot="1",
        startup="order=1",
    )
    archive = await back_up(inventory, ref, "shop")
    original = await read_config(inventory, ref)
    test, end = await restore(inventory, archive)
    assert end.succeeded, end.reason
    config = await read_config(inventory, test)
    assert config["tags"] == "proximity-restore-test"
    assert config["description"].startswith("proximity-restore-test: 0123abcd\n")
    assert "proximity-app" not in config["description"]
    for name in ("net0", "net1"):
        assert "link_down=1" in config[name]
        assert "ip=" not in config[name]
        assert "10.20.30" not in config[name]
        assert config[name].partition("hwaddr=")[2][:17] != original[name].partition("hwaddr=")[2][:17]
    assert int(config.get("onboot") or 0) == 0
    assert "mp0" not in config, "its data is not in the archive"
    assert "mp=/srv/mail" in config["mp1"]
    listed = await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    assert test.vmid not in {one.vmid for one in listed.containers}, "it is no app, and nothing to adopt"
    await inventory.start(test, TEST)
    reservations = await inventory.containers.list_restore_tests(pb.ListRestoreTestsRequest(), new_call())
    assert [(one.vmid, one.owner) for one in reservations.tests] == [(test.vmid, TEST)]
    assert [one.age_s for one in reservations.tests] >= [0]
    await destroy(inventory, test)
    assert await read_config(inventory, ref) == original
    assert not (await inventory.containers.list_restore_tests(pb.ListRestoreTestsRequest(), new_call())).tests


async def test_on_an_isolated_bridge_it_has_its_addresses_and_no_gateway(inventory: Inventory) -> None:
    ref = await inventory.create("blog", network_cidr="10.20.31.40/24", gateway="10.20.31.1")
    archive = await back_up(inventory, ref, "blog")
    test, end = await restore(inventory, archive, bridge="vmbr1")
    assert end.succeeded, end.reason
    net0 = (await read_config(inventory, test))["net0"]
    assert "bridge=vmbr1" in net0
    assert "ip=10.20.31.40/24" in net0
    assert "gw=" not in net0
    await destroy(inventory, test)


async def test_a_truncated_archive_fails_in_the_task_and_leaves_nothing(inventory: Inventory) -> None:
    ref = await inventory.create("torn")
    archive = await back_up(inventory, ref, "torn")
    inventory.sim.client.control("PATCH", "/volumes", {"volid": archive, "readable": 0.5})
    test, end = await restore(inventory, archive)
    assert not end.succeeded
    assert not end.may_pass, "another try does not change it"
    assert "failed: exit code 2" in end.reason
    assert inventory.sim.client.control("GET", "/state")["containers"].get(str(test.vmid)) is None
    await destroy(inventory, test)


async def test_devices_and_hooks_are_removed_before_the_start_where_that_is_possible(
    inventory: Inventory,
) -> None:
    ref = await inventory.create("gpu")
    await set_config(inventory, ref, dev0="/dev/net/tun")
    archive = await back_up(inventory, ref, "gpu")
    test, end = await restore(inventory, archive)
    assert end.succeeded, end.reason
    assert "dev0" not in await read_config(inventory, test)
    await destroy(inventory, test)


async def test_only_the_tests_own_container_is_touched(inventory: Inventory) -> None:
    ref = await inventory.create("other")
    with pytest.raises(NotOursError):
        await inventory.containers.destroy_container(
            cs.ContainerActionRequest(container=ref, owner=TEST), new_call()
        )
    request = pb.RestoreTestContainerRequest(
        host_id=ref.host_id, vmid=ref.vmid, node="pve1", owner="other", archive="x", storage="local"
    )
    with pytest.raises(NotOursError, match="no restore test"):
        await inventory.containers.restore_test_container(request, new_call())
