"""Volumes of containers: naming, making, copying, growing."""

import re
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import DISK, join_disk, list_disks
from tests.pvesim.model.entities import Config, Container, Storage, Volume
from tests.pvesim.model.errors import TaskFailedError
from tests.pvesim.model.properties import parse_size, render_size

NEW_DISK = re.compile(r"([^:]+):(\d+(?:\.\d+)?)")
GIB = 1 << 30


def get_kind(volume: str) -> str:
    """`volume`, `device` or `bind`: what a mount point's source is."""
    if volume.startswith("/dev/"):
        return "device"
    return "bind" if volume.startswith("/") else "volume"


def _name_disk(cluster: Cluster, storage: Storage, vmid: int, node: str, *, base: bool = False) -> str:
    extension = ".raw" if storage.is_file_based else ""
    prefix = "base" if base else "vm"
    number = 0
    while True:
        name = f"{prefix}-{vmid}-disk-{number}{extension}"
        full = f"{vmid}/{name}" if storage.is_file_based else name
        if cluster.find_volume(f"{storage.name}:{full}", node) is None:
            return full
        number += 1


def make_disk(cluster: Cluster, *, storage: str, vmid: int, node: str, size: int) -> Volume:
    """A new, empty volume of a container."""
    where = cluster.get_storage(storage, node)
    volume = Volume(
        storage=storage,
        name=_name_disk(cluster, where, vmid, node),
        node="" if where.shared else node,
        content="rootdir",
        size=size,
        format="raw",
        ctime=int(cluster.now()),
        vmid=vmid,
        used=min(size, 3 << 20),
    )
    cluster.add("volumes", volume.key, volume)
    return volume


def make_disks(cluster: Cluster, wanted: Config, *, vmid: int, node: str) -> Config:
    """Turn `local:8` into a volume and its `local:105/vm-105-disk-0.raw,size=8G`."""
    made: Config = {}
    for option, values in list_disks(wanted):
        new = NEW_DISK.fullmatch(values["volume"])
        if new is None:
            made[option] = join_disk(values)
            continue
        size = int(float(new[2]) * GIB)
        volume = make_disk(cluster, storage=new[1], vmid=vmid, node=node, size=size)
        path = {"mp": "/" + values["mp"].lstrip("/")} if "mp" in values else {}
        made[option] = join_disk({**values, **path, "volume": volume.volid, "size": render_size(size)})
    return made


def copy_disks(
    cluster: Cluster, config: Config, *, vmid: int, node: str, storage: str | None = None
) -> Config:
    """New volumes of the same sizes for a clone or a restored container."""
    copied: Config = {}
    for option, values in list_disks(config):
        if get_kind(values["volume"]) != "volume":
            copied[option] = join_disk(values)
            continue
        size = parse_size(values.get("size", "4G"))
        where = storage or values["volume"].partition(":")[0]
        volume = make_disk(cluster, storage=where, vmid=vmid, node=node, size=size)
        copied[option] = join_disk({**values, "volume": volume.volid, "size": render_size(size)})
    return copied


def rename_disk(cluster: Cluster, values: dict[str, Any], *, vmid: int, node: str) -> str:
    """Make a mount point's volume another container's; its new name."""
    volume = find_disk(cluster, values, node)
    if volume is None:
        raise TaskFailedError(f"volume '{values['volume']}' does not exist")
    cluster.drop("volumes", volume.key)
    volume.name = _name_disk(cluster, cluster.get_storage(volume.storage, node), vmid, node)
    volume.vmid = vmid
    cluster.add("volumes", volume.key, volume)
    return volume.volid


def list_volumes(cluster: Cluster, container: Container) -> list[str]:
    """Keys of the volumes in a container's configuration, detached ones included, which go with the container."""
    named = {
        str(value).split(",", 1)[0]
        for option, value in container.config.items()
        if DISK.fullmatch(option) or option.startswith("unused")
    }
    return [
        key
        for key, one in cluster.volumes.items()
        if one.volid in named and one.vmid == container.vmid and one.node in {"", container.node}
    ]


def find_disk(cluster: Cluster, values: dict[str, Any], node: str) -> Volume | None:
    """The volume behind a mount point's properties."""
    return cluster.find_volume(str(values["volume"]), node)
