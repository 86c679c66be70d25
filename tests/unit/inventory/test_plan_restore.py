"""PlanRestore: the archive on the same host or on another one, and the node that the container fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import HostNotFoundError, HostUnreachableError
from services.inventory.domain.restore_plans import ArchiveSource, PlanRequest, RestorePlan
from services.inventory.domain.storage_places import find_place
from services.inventory.usecases.placement import reserve_vmid
from services.inventory.usecases.plan_restore import plan_restore
from services.inventory.usecases.restore_container import restore_container
from tests.fakes.inventory import InstantInventory, SilentHosts
from tests.pvesim.instant import InstantProxmox
from tests.pvesim.model.entities import Storage
from tests.pvesim.model.shared import SharedFolder
from tests.unit.inventory.backed_up import back_up_container

NAS = {"server": "10.0.0.5", "export": "/backups"}
PBS = {"server": "pbs.example", "datastore": "store", "namespace": "site"}


def nas(name: str, **settings: str) -> Storage:
    return Storage(name, "nfs", ["backup"], shared=True, settings={**NAS, **settings})


@dataclasses.dataclass
class TwoHosts:
    """The inventory's host `pve`, with an archive of a container, and a host of another cluster."""

    inventory: InstantInventory
    other: InstantProxmox
    host: Host
    ref: ContainerRef
    volume_id: str = ""

    async def back_up(self, storage: str, *, backup_id: str = "b-1") -> None:
        self.volume_id = await back_up_container(
            self.inventory, self.ref, storage=storage, backup_id=backup_id
        )

    async def plan(self, *, host: Host | None = None, backup_id: str = "b-1", **options: Any) -> RestorePlan:
        parts = self.inventory.parts
        size = float(self.archive.size)
        source = ArchiveSource(
            host_id=self.ref.host_id, volume_id=self.volume_id, backup_id=backup_id, size=size
        )
        request = PlanRequest(source=source, host_id=(host or self.host).id, **options)
        return await plan_restore(parts.hosts, parts.fleet, candidates=parts.candidates, request=request)

    @property
    def archive(self) -> Any:
        volumes = self.inventory.proxmox.cluster.volumes.values()
        return next(one for one in volumes if one.volid == self.volume_id)

    def set_config(self, **options: str) -> None:
        lines = dict(line.split(": ", 1) for line in self.archive.config.splitlines() if ": " in line)
        merged = {**lines, **options}
        self.archive.config = "".join(f"{name}: {value}\n" for name, value in merged.items())
        self.inventory.proxmox.cluster.touch("volumes", self.archive.key)


@pytest.fixture
async def two(inventory: InstantInventory, tmp_path: Path) -> TwoHosts:
    other = InstantProxmox("demo", nodes=2, seed=7)
    for place, cluster in (("a", inventory.proxmox.cluster), ("b", other.cluster)):
        cluster.shared = SharedFolder(tmp_path / "shared")
        cluster.storages["backup"].path = f"/mnt/{place}"
    host = await inventory.add_host("far")
    inventory.parts.fleet.others["far"] = other
    inventory.proxmox.cluster.storages["nas"] = nas("nas")
    return TwoHosts(inventory, other, host, await inventory.create())


async def test_an_archive_on_a_shared_storage_is_found_under_the_name_that_the_other_host_gives_it(
    two: TwoHosts,
) -> None:
    two.other.cluster.storages["nfs-backups"] = nas("nfs-backups", export="/backups/")
    await two.back_up("nas")
    for backup_id in ("b-1", ""):  # by its notes, and by place, name and size
        plan = await two.plan(backup_id=backup_id)
        assert plan.obstacles == ()
        assert plan.archive == two.volume_id.replace("nas:", "nfs-backups:")
        assert plan.host_name == "far"
        assert plan.node in {"pve1", "pve2"}
        assert plan.free > plan.required > 0
        assert [each.disk.key for each in plan.disks] == ["rootfs"]
        assert plan.storage == plan.disks[0].storage


async def test_the_new_container_is_made_there_and_the_original_stays(two: TwoHosts) -> None:
    two.other.cluster.storages["far-nas"] = nas("far-nas")
    await two.back_up("nas")
    plan = await two.plan()
    parts = two.inventory.parts
    vmid = await reserve_vmid(parts.vmids, parts.fleet, host_id=two.host.id, owner="copy")
    made = ContainerRef(two.host.id, vmid, plan.node)
    task = await restore_container(
        two.inventory.lookup,
        made,
        owner="copy",
        archive=plan.archive,
        beside=True,
        hostname="copy",
        storage=plan.storage,
        lose_volumes=(),
        hosts=parts.hosts,
        scanner=parts.scanner,
        networks=parts.networks,
    )
    assert (await two.inventory.finish(task)).succeeded
    assert two.other.cluster.containers[vmid].config["hostname"] == "copy"
    assert two.inventory.config(two.ref)["hostname"] == "shop"


async def test_the_host_that_made_the_archive_need_not_answer(two: TwoHosts) -> None:
    two.other.cluster.storages["far-nas"] = nas("far-nas")
    await two.back_up("nas")
    size = two.archive.size
    two.inventory.proxmox.outage = SilentHosts("pve")
    assert size
    assert (await two.plan()).obstacles == ()
    (obstacle,) = (await two.plan(backup_id="")).obstacles
    assert "cannot be compared" in obstacle
    assert "copy the archive" in obstacle


async def test_the_other_host_must_answer(two: TwoHosts) -> None:
    await two.back_up("nas")
    two.other.outage = SilentHosts("far")
    with pytest.raises(HostUnreachableError):
        await two.plan()
    with pytest.raises(HostNotFoundError):
        await two.plan(host=dataclasses.replace(two.host, id=99))


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        (nas("nas", server="10.0.0.6"), "no storage for the place of 'nas' (nfs, server 10.0.0.5"),
        (nas("nas", export="/other"), "no storage for the place of 'nas'"),
        (Storage("nas", "dir", ["backup"], path="/mnt/pve/nas", shared=True), "no storage for the place"),
        (None, "no storage for the place"),
    ],
)
async def test_a_storage_of_the_same_name_is_not_the_same_storage(
    two: TwoHosts, storage: Storage | None, why: str
) -> None:
    if storage is not None:
        two.other.cluster.storages["nas"] = storage
    await two.back_up("nas")
    # An archive of another container that has the same id on the other cluster, made in the same second.
    stranger = dataclasses.replace(two.archive, storage="nas", notes="somebody else's")
    if storage is not None:
        two.other.cluster.add("volumes", stranger.key, stranger)
    (obstacle,) = (await two.plan()).obstacles
    assert why in obstacle
    assert "copy the archive" in obstacle


async def test_an_archive_on_a_local_storage_is_refused_until_it_is_copied_with_its_notes(
    two: TwoHosts,
) -> None:
    await two.back_up("local")
    (obstacle,) = (await two.plan()).obstacles
    assert "storage 'local' with the archive (dir) is one that far cannot see" in obstacle
    copy = dataclasses.replace(two.archive, node="pve2")
    two.other.cluster.add("volumes", copy.key, copy)
    plan = await two.plan()
    assert (plan.obstacles, plan.node) == ((), "pve2"), "the node with the copy"


async def test_an_archive_that_the_shared_storage_does_not_list_is_named(two: TwoHosts) -> None:
    two.other.cluster.storages["far-nas"] = nas("far-nas")
    await two.back_up("nas")
    source = two.archive
    two.other.cluster.shared = None
    (obstacle,) = (await two.plan()).obstacles
    assert f"does not list the archive '{source.name}'" in obstacle


async def test_the_node_must_see_the_archive_and_have_room(two: TwoHosts) -> None:
    cluster = two.inventory.proxmox.cluster
    await two.back_up("nas")
    cluster.storages["nas"].nodes = ["pve1"]
    (obstacle,) = (await two.plan(host=two.inventory.host, node="pve2")).obstacles
    assert obstacle == "node pve2: it does not see the storage 'nas' with the archive"
    assert (await two.plan(host=two.inventory.host, preferred="pve2")).node == "pve1"
    two.set_config(rootfs="local-lvm:vm-1-disk-0,size=9000G")
    (obstacle,) = (await two.plan(host=two.inventory.host, node="pve1")).obstacles
    assert "the volumes of the archive need 9000.0 GiB there" in obstacle
    (obstacle,) = (await two.plan(host=two.inventory.host, node="nope")).obstacles
    assert "has no node 'nope'" in obstacle


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"net0": "name=eth0,bridge=vmbr7"}, "it has no bridge 'vmbr7'"),
        ({"arch": "arm64"}, "it is of amd64, and the container of arm64"),
        ({"memory": "90000000"}, "of memory free"),
    ],
)
async def test_what_the_container_needs_is_checked(
    two: TwoHosts, options: Mapping[str, str], why: str
) -> None:
    await two.back_up("nas")
    two.set_config(**options)
    plan = await two.plan(host=two.inventory.host)
    assert plan.obstacles
    assert all(why in each for each in plan.obstacles)


async def test_an_older_release_is_refused(two: TwoHosts) -> None:
    two.other.cluster.storages["far-nas"] = nas("far-nas")
    await two.back_up("nas")
    two.other.cluster.version = "8.4.1"
    await two.inventory.parts.hosts.note_answer(two.inventory.host.id, version="9.2.11", found=[])
    plan = await two.plan()
    assert all("runs Proxmox VE 8.4.1; the archive was made by 9.2.11" in each for each in plan.obstacles)
    assert plan.obstacles


async def test_the_differences_to_the_original_are_named(two: TwoHosts) -> None:
    two.other.cluster.storages["far-nas"] = nas("far-nas")
    await two.back_up("nas")
    two.set_config(
        mp0="tank:vm-1-disk-1,mp=/srv/photos,size=5G",
        mp1="/mnt/host,mp=/srv/host",
        net0="name=eth0,bridge=vmbr0,ip=10.9.0.5/24,gw=10.9.0.1",
    )
    plan = await two.plan()
    warnings = "\n".join(plan.warnings)
    assert "mp0 (/srv/photos, 5 GB on tank) is not in the archive, and is made empty" in warnings
    assert "mp1 (/srv/host, the host's /mnt/host) is a path of the node, and is left out" in warnings
    assert "another address of 10.9.0.0/24" in warnings
    assert plan.networks == ("net0 on vmbr0: another address than 10.9.0.5/24",)


async def test_options_of_the_former_node_are_an_obstacle_on_another_host(two: TwoHosts) -> None:
    two.other.cluster.storages["far-nas"] = nas("far-nas")
    await two.back_up("nas")
    two.set_config(hookscript="local:snippets/hook.pl")
    (obstacle,) = (await two.plan()).obstacles
    assert "hookscript" in obstacle
    assert (await two.plan(host=two.inventory.host)).obstacles == ()


async def test_a_damaged_archive_is_an_obstacle(two: TwoHosts) -> None:
    await two.back_up("nas")
    two.archive.readable = 0
    (obstacle,) = (await two.plan(host=two.inventory.host)).obstacles
    assert "is damaged" in obstacle


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        ({"type": "pbs", **PBS}, {"type": "pbs", **PBS, "port": 8007, "username": "other@pbs"}, True),
        ({"type": "pbs", **PBS}, {"type": "pbs", **PBS, "namespace": "other"}, False),
        ({"type": "pbs", **PBS}, {"type": "pbs", **PBS, "datastore": "other"}, False),
        (
            {"type": "cifs", "server": "NAS", "share": "b"},
            {"type": "cifs", "server": "nas", "share": "b"},
            True,
        ),
        ({"type": "nfs", **NAS}, {"type": "cifs", "server": "10.0.0.5", "share": "/backups"}, False),
        (
            {"type": "dir", "path": "/mnt/b", "shared": 1},
            {"type": "dir", "path": "/mnt/b/", "shared": 1},
            True,
        ),
        ({"type": "dir", "path": "/mnt/b"}, {"type": "dir", "path": "/mnt/b"}, False),
        ({"type": "zfspool", "pool": "tank"}, {"type": "zfspool", "pool": "tank"}, False),
        ({"type": "cephfs"}, {"type": "cephfs"}, False),
    ],
)
def test_storages_are_one_place_by_what_is_behind_them(
    here: Mapping[str, Any], there: Mapping[str, Any], same: bool
) -> None:
    assert (find_place(here) is not None and find_place(here) == find_place(there)) is same
