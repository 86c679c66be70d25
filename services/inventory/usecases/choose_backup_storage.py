"""ChooseBackupStorage: where the next archive of a container is made when no storage is named."""

from __future__ import annotations

from services.inventory.domain.containers import ContainerRef, View
from services.inventory.proxmox.archives import read_archives
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.storages import choose_storage, list_storages, read_archive_limit


async def choose_backup_storage(containers: ContainerLookup, ref: ContainerRef, *, owner: str) -> str:
    """Choose the storage for the next archive of an owner's container.

    Raises:
        StorageNotFoundError: its node has no active storage for archives.
    """
    return await find_backup_storage(await containers.get_owned(ref, owner, with_tasks=False))


async def find_backup_storage(view: View) -> str:
    """Return, of the storages that take another archive of a container, the one with most free space.

    Where none takes one, it is the one with most free space: its refusal tells the limit.
    """
    names = [str(one["storage"]) for one in await list_storages(view.client, view.node, content="backup")]
    # Without another storage there is no choice.
    for name in names if len(names) > 1 else ():
        limit = await read_archive_limit(view.client, view.node, storage=name)
        if not limit:
            return name
        found, _ = await read_archives(view.client, vmid=view.vmid, storage=name, node=view.node)
        if sum(not one.protected for one in found) < limit:
            return name
    return await choose_storage(view.client, view.node, content="backup")
