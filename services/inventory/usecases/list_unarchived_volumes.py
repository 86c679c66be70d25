"""ListUnarchivedVolumes."""

from __future__ import annotations

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.disks import Disk, check_host_paths, find_overwritten, find_unarchived
from services.inventory.proxmox.archives import read_configuration
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.marks import check_owner, find_owner


async def list_unarchived_volumes(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, archive: str = ""
) -> tuple[list[Disk], list[Disk]]:
    """List the volumes of a container that an archive lacks, and those that it overwrites.

    Without an archive, the first are those that a backup would lack, and there are none of the second.

    Of a container that a broken creation left, which has a lock and no marks, there is nothing that could be lost.

    Raises:
        NotOursError: it does not carry the owner's marks.
        MountsNotRestorableError: it has bind mounts or devices, which only root@pam may restore.
        ArchiveNotFoundError: no storage has the archive.
    """
    view = await containers.get(ref, with_tasks=False)
    is_wreck = view.config.get("lock") == "create" and find_owner(view.config) is None
    config = {} if is_wreck else view.config
    if not is_wreck:
        check_owner(config, owner, vmid=ref.vmid)
    if not archive:
        return find_unarchived(config), []
    client = await containers.fleet.get_client(ref.host_id)
    check_host_paths(config, may_restore=client.access.is_full_root)
    saved = await read_configuration(client, archive)
    return find_unarchived(config, saved), find_overwritten(config, saved)
