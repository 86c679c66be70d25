"""Making a container what an archive has: over the one that is there, or anew.

Every disk is named in the request: Proxmox makes those that are not named on one default storage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.inventory.domain.disks import (
    check_host_paths,
    find_unarchived,
    parse_configuration,
    parse_disks,
)
from services.inventory.domain.errors import (
    ContainerElsewhereError,
    ContainerRunningError,
    StorageNotFoundError,
    VolumesNotArchivedError,
)
from services.inventory.proxmox.archives import find_archive
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.containers import ContainerRef, Containers, ProxmoxTask, View, act
from services.inventory.proxmox.copy_networks import list_link_options
from services.inventory.proxmox.create import resume_creation
from services.inventory.proxmox.marks import TAG, check_owner, find_owner, render_description
from services.inventory.proxmox.reading import ScannedContainer
from services.inventory.proxmox.storages import list_storages

_RESTORING = ("vzrestore", "vzcreate")
_OF_APP = ("memory", "swap", "cores")  # as they are now; the archive may be older than their last change
_MOST_MOUNTS = 256  # mp0 to mp255


@dataclass(frozen=True)
class DiskReader:
    """Reads the configurations that `list_unarchived_volumes` compares."""

    containers: Containers
    ref: ContainerRef
    owner: str

    async def read_container(self) -> Mapping[str, Any]:
        """Read the configuration of the owner's container as it is; empty where a broken creation left only a lock."""
        view = await self.containers.look(self.ref, with_tasks=False)
        if view.config.get("lock") == "create" and find_owner(view.config) is None:
            return {}  # there are no volumes that anybody could lose
        check_owner(view.config, self.owner, vmid=self.ref.vmid)
        return view.config

    async def read_archive(self, volume_id: str) -> Mapping[str, Any]:
        """Read the configuration in an archive."""
        client = await self.containers.fleet.get_client(self.ref.host_id)
        return await _read_configuration(client, volume_id)

    async def may_restore_host_paths(self) -> bool:
        """Whether the host's credentials may make bind mounts and devices."""
        return (await self.containers.fleet.get_client(self.ref.host_id)).access.is_full_root


async def restore_container(
    containers: Containers,
    ref: ContainerRef,
    owner: str,
    *,
    archive: str,
    beside: bool,
    hostname: str,
    storage: str,
    lose_volumes: Collection[str],
    find_owned: Callable[..., Awaitable[Sequence[ScannedContainer]]],
) -> ProxmoxTask:
    """Overwrite the owner's stopped container with an archive, or make a new one of it with the owner's marks.

    A container that an earlier restore lost is made anew under its id, unless another one carries the owner's marks.
    Each disk goes to the storage that it has now, else to `storage` (the root disk), else to the one it had in the
    archive.

    Raises:
        ContainerElsewhereError: there is none, and another one carries the owner's marks.
        ContainerRunningError: what would be overwritten runs.
        VolumesNotArchivedError: it has volumes that are not in the archive, nor named by `lose_volumes`.
        VmidTakenError: there is none, and its id belongs to somebody else.
        CreationBrokenError: an earlier restore was broken off; destroy what it left.
    """
    view = await containers.find(ref)
    if view is not None and (task := view.find_task(_RESTORING)):
        return task
    if view is not None and (beside or view.is_unfinished):
        return await resume_creation(containers, view, owner, types=_RESTORING)
    if view is None:
        for other in await find_owned(owner, host_id=ref.host_id, hostname=hostname):
            raise ContainerElsewhereError(
                f"container {other.vmid} of {other.host_name} carries the mark of {owner} already, so that no second one "
                "is made; take its mark off in Proxmox, or have it destroyed as a duplicate"
            )
        names = (hostname, storage)
        return await _restore_anew(containers, ref, owner, archive=archive, names=names, unique=beside)
    check_owner(view.config, owner, vmid=ref.vmid)
    check_host_paths(view.config, may_restore=view.client.access.is_full_root)
    saved = await _read_configuration(view.client, archive)
    lost = [one for one in find_unarchived(view.config, saved) if one.key not in lose_volumes]
    if lost:
        raise VolumesNotArchivedError(
            f"restoring {archive} would destroy volumes of container {ref.vmid} that it does not have: "
            f"{', '.join(one.describe() for one in lost)}"
        )
    if view.is_running:  # checked last, so that nobody stops it for a restore that is refused
        raise ContainerRunningError(f"container {ref.vmid} runs; stop it first")
    options = {
        "vmid": ref.vmid,
        "ostemplate": archive,
        "restore": 1,
        "force": 1,
        "description": view.config.get("description"),
        "tags": view.config.get("tags"),
        **{name: view.config.get(name) for name in _OF_APP},
        **list_link_options(view.config),
        **await _lay_out(view.client, view.node, saved, current=view.config, storage=storage),
    }
    path = f"/nodes/{view.node}/lxc"
    return await act(view, lambda: view.client.post(path, **options), types=_RESTORING)


async def _restore_anew(
    containers: Containers,
    ref: ContainerRef,
    owner: str,
    *,
    archive: str,
    names: tuple[str, str],
    unique: bool,
) -> ProxmoxTask:
    await containers.check_reserved(ref, owner)
    client = await containers.fleet.get_client(ref.host_id)
    hostname, storage = names
    saved = await _read_configuration(client, archive)
    options = {
        "vmid": ref.vmid,
        "ostemplate": archive,
        "restore": 1,
        "unique": int(unique),
        "hostname": hostname or None,
        "description": render_description(owner),
        "tags": TAG,
        **await _lay_out(client, ref.node, saved, current={}, storage=storage),
    }
    if unique:
        await containers.vmids.mark_copy(ref.host_id, owner, is_copy=True)
    new = View(client, ref.node, ref.vmid, {})
    return await act(new, lambda: client.post(f"/nodes/{ref.node}/lxc", **options), types=_RESTORING)


async def _lay_out(
    client: ProxmoxClient,
    node: str,
    saved: Mapping[str, Any],
    *,
    current: Mapping[str, Any],
    storage: str,
) -> dict[str, str]:
    """The options that name every disk: those of the archive, and those that the container has besides.

    A disk is as large as the larger of the two, as the app may have grown since.
    """
    names = [str(one["storage"]) for one in await list_storages(client, node, "rootdir")]
    if not names:
        raise StorageNotFoundError(f"node {node} has no storage for rootdir")
    there = {one.path: one for one in parse_disks(current) if one.path}
    archived = [one for one in parse_disks(saved) if one.path and one.is_volume]
    options: dict[str, str] = {}
    for one in archived:
        same = there.pop(one.path, None)
        if current and same is None and not one.is_archived:
            continue  # the container has no such mount point any more, and the archive nothing for it
        if same is not None and not same.is_volume:
            options[one.key] = same.render(same.source)
            continue
        wishes = [same.storage] if same else []
        wishes += [storage, one.storage] if one.key == "rootfs" else [one.storage, storage]
        size = max(one.size_gb, same.size_gb if same else 0.0)
        options[one.key] = one.render(f"{_choose(names, wishes)}:{size:g}")
    for one in there.values():
        source = f"{_choose(names, [one.storage])}:{one.size_gb:g}" if one.is_volume else one.source
        key = one.key if one.key not in options else _find_free_key(options)
        options[key] = one.render(source)
    return {"storage": options["rootfs"].partition(":")[0], **options}


def _choose(names: Sequence[str], wishes: Sequence[str]) -> str:
    """The first storage wished for that is there, else the one with most free space."""
    return next((one for one in wishes if one in names), names[0])


def _find_free_key(options: Mapping[str, str]) -> str:
    return next(f"mp{number}" for number in range(_MOST_MOUNTS) if f"mp{number}" not in options)


async def _read_configuration(client: ProxmoxClient, volume_id: str) -> dict[str, str]:
    """Read the configuration in an archive.

    Raises:
        ArchiveNotFoundError: no storage has it.
    """
    archive = await find_archive(client, volume_id)
    text = await client.get(f"/nodes/{archive.node}/vzdump/extractconfig", volume=volume_id)
    return parse_configuration(str(text))
