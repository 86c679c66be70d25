"""RestoreContainer: every volume stays where it was, and none is destroyed unasked."""

from __future__ import annotations

from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.entities import Secrets
from services.inventory.domain.errors import (
    MountsNotRestorableError,
    VolumesNotArchivedError,
)
from tests.contract.inventory.archives import (
    BIND,
    MAIL,
    PHOTOS,
    add_tank,
    back_up,
    list_volumes,
    read_config,
    set_config,
)
from tests.contract.inventory.conftest import Inventory, new_call
from tests.unit.pvesim.sim import Running


async def test_a_restore_names_the_volumes_that_it_would_destroy_and_destroys_none(
    inventory: Inventory,
) -> None:
    add_tank(inventory)
    ref = await inventory.create("photos", storage="local")
    await set_config(inventory, ref, mp0=PHOTOS, mp1=MAIL)
    left_out = cs.ListUnarchivedVolumesRequest(container=ref, owner="photos")
    found = await inventory.containers.list_unarchived_volumes(left_out, new_call())
    assert [(one.key, one.path, one.storage, one.size_gb) for one in found.volumes] == [
        ("mp0", "/srv/photos", "tank", 50)
    ]
    archive = await back_up(inventory, ref, "photos")
    before = list_volumes(inventory, ref.vmid)
    over = cs.RestoreContainerRequest(container=ref, owner="photos", archive=archive)
    with pytest.raises(VolumesNotArchivedError, match=r"mp0 \(/srv/photos, 50 GB on tank\)"):
        await inventory.containers.restore_container(over, new_call())
    assert list_volumes(inventory, ref.vmid) == before

    over.lose_volumes.append("mp0")
    assert (await inventory.finish(await inventory.containers.restore_container(over, new_call()))).succeeded
    config = await read_config(inventory, ref)
    assert config["rootfs"].startswith("local:")
    assert config["mp0"].startswith("tank:")
    assert "size=50G" in config["mp0"]
    assert config["mp1"].startswith("local-lvm:")
    assert "backup=1" in config["mp1"]
    assert len(list_volumes(inventory, ref.vmid)) == 3


async def test_a_lost_container_and_a_copy_get_the_storages_of_the_archive_or_the_apps(
    inventory: Inventory,
) -> None:
    add_tank(inventory)
    ref = await inventory.create("moved", storage="local")
    await set_config(inventory, ref, mp0="tank:3,mp=/srv/mail,backup=1")
    archive = await back_up(inventory, ref, "moved")
    inventory.sim.client.control("DELETE", f"/containers/{ref.vmid}")
    again = cs.RestoreContainerRequest(container=ref, owner="moved", archive=archive)
    assert (await inventory.finish(await inventory.containers.restore_container(again, new_call()))).succeeded
    config = await read_config(inventory, ref)
    assert [config[key].partition(":")[0] for key in ("rootfs", "mp0")] == ["local", "tank"]

    other = await inventory.containers.reserve_vmid(
        cs.ReserveVmidRequest(host_id=ref.host_id, owner="copy"), new_call()
    )
    target = cs.ContainerRef(host_id=ref.host_id, vmid=other.vmid, node="pve1")
    for storage, expected in (("local-lvm", "local-lvm"), ("gone", "local")):
        beside = cs.RestoreContainerRequest(
            container=target, owner="copy", archive=archive, beside=True, hostname="copy", storage=storage
        )
        task = await inventory.containers.restore_container(beside, new_call())
        assert (await inventory.finish(task)).succeeded
        config = await read_config(inventory, target)
        assert [config[key].partition(":")[0] for key in ("rootfs", "mp0")] == [expected, "tank"]
        inventory.sim.client.control("DELETE", f"/containers/{target.vmid}")


async def test_a_disk_that_has_grown_since_the_backup_stays_as_large(inventory: Inventory) -> None:
    ref = await inventory.create("grown", storage="local")
    archive = await back_up(inventory, ref, "grown")
    grow = cs.ConfigureContainerRequest(container=ref, owner="grown", disk_gb=9)
    assert (
        await inventory.finish(await inventory.containers.configure_container(grow, new_call()))
    ).succeeded
    over = cs.RestoreContainerRequest(container=ref, owner="grown", archive=archive)
    assert (await inventory.finish(await inventory.containers.restore_container(over, new_call()))).succeeded
    assert "size=9G" in (await read_config(inventory, ref))["rootfs"]


async def test_root_restores_over_bind_mounts_and_leaves_them(inventory: Inventory) -> None:
    ref = await inventory.create("bound")
    archive = await back_up(inventory, ref, "bound")
    inventory.sim.client.control("PATCH", f"/containers/{ref.vmid}", BIND)
    over = cs.RestoreContainerRequest(container=ref, owner="bound", archive=archive)
    assert (await inventory.finish(await inventory.containers.restore_container(over, new_call()))).succeeded
    assert (await read_config(inventory, ref))["mp3"].startswith("/mnt/host,mp=/srv/shared")


class TestWithToken:
    """Credentials of a token, which may not make bind mounts."""

    @pytest.fixture
    def secrets(self, sim: Running) -> Secrets:
        return Secrets(token_secret=str(sim.client.ready["token_secret"]))

    @pytest.fixture
    def access(self, sim: Running) -> dict[str, Any]:
        return {"token_id": str(sim.client.ready["token_id"])}

    async def test_bind_mounts_refuse_a_restore_before_anything_is_done(self, inventory: Inventory) -> None:
        ref = await inventory.create("tied")
        archive = await back_up(inventory, ref, "tied")
        inventory.sim.client.control("PATCH", f"/containers/{ref.vmid}", BIND)
        before = await read_config(inventory, ref)
        request = cs.ListUnarchivedVolumesRequest(container=ref, owner="tied", archive=archive)
        with pytest.raises(MountsNotRestorableError, match=r"mp3 \(/srv/shared, the host's /mnt/host\)"):
            await inventory.containers.list_unarchived_volumes(request, new_call())
        over = cs.RestoreContainerRequest(container=ref, owner="tied", archive=archive)
        with pytest.raises(MountsNotRestorableError):
            await inventory.containers.restore_container(over, new_call())
        assert await read_config(inventory, ref) == before

    async def test_a_restore_names_every_disk_with_the_rights_that_a_token_has(
        self, inventory: Inventory
    ) -> None:
        ref = await inventory.create("token-restores", storage="local-lvm")
        archive = await back_up(inventory, ref, "token-restores")
        over = cs.RestoreContainerRequest(container=ref, owner="token-restores", archive=archive)
        end = await inventory.finish(await inventory.containers.restore_container(over, new_call()))
        assert end.succeeded, end.reason
        assert (await read_config(inventory, ref))["rootfs"].startswith("local-lvm:vm-")
