"""MoveVolume."""

from __future__ import annotations

import re

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View, check_unlocked
from services.inventory.domain.disks import find_free_mount
from services.inventory.domain.errors import ContainerRunningError, ProxmoxRefusedError
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.marks import check_owner

_MOUNT = re.compile(r"mp(\d+)")


async def move_volume(
    containers: ContainerLookup,
    *,
    source: ContainerRef,
    target: ContainerRef,
    source_owner: str,
    target_owner: str,
) -> ProxmoxTask:
    """Move the first volume of a stopped container, with its data, to another container on its node.

    Proxmox renames the volume, so nothing is copied. Its task names no container: what it did is seen in the
    configurations.

    Returns:
        A task whose result names the volume; without one once the source has none left, or is gone.

    Raises:
        ContainerRunningError: the source runs.
        ContainerLockedError: Proxmox is busy with one of them.
        ProxmoxRefusedError: it refuses, as for a volume in a snapshot, or on a storage that cannot rename.
    """
    view = await containers.find(source)
    if view is None:
        return ProxmoxTask(source.host_id, source.node)
    check_owner(view.config, source_owner, vmid=source.vmid)
    keys = sorted(filter(_MOUNT.fullmatch, view.config), key=lambda key: int(key[2:]))
    if not keys:
        return view.done()
    # Checked although the source is the owner's: a volume must not be handed to a stranger.
    other = await containers.get_owned(target, target_owner)
    _check_resting(view, other)
    volume = str(view.config[keys[0]]).split(",", 1)[0]
    options = {"volume": keys[0], "target-vmid": other.vmid, "target-volume": find_free_mount(other.config)}
    try:
        task = await act(view, lambda: view.client.post(f"{view.path}/move_volume", **options), types=())
    except ProxmoxRefusedError:
        now = await containers.get(source)
        if keys[0] in now.config:
            raise
        return now.done(volume)  # an earlier request, whose answer was lost, has moved it meanwhile
    return ProxmoxTask(task.host_id, task.node, task.upid, volume)


def _check_resting(source: View, target: View) -> None:
    if source.is_running:
        raise ContainerRunningError(f"container {source.vmid} runs; stop it first")
    for view in (source, target):
        check_unlocked(view)
