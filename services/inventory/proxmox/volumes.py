"""Volumes that go from one container to another, with what is on them."""

from __future__ import annotations

import re

from services.inventory.domain.errors import ContainerLockedError, ContainerRunningError, ProxmoxRefusedError
from services.inventory.proxmox.containers import ContainerRef, Containers, ProxmoxTask, View, act
from services.inventory.proxmox.marks import check_owner

_MOUNT = re.compile(r"mp(\d+)")
_MOST = 256


async def move_volume(
    containers: Containers,
    source: ContainerRef,
    target: ContainerRef,
    *,
    source_owner: str,
    target_owner: str,
) -> ProxmoxTask:
    """Hand the first volume of a stopped container over to another container on its node.

    Proxmox renames the volume, so nothing is copied. Its task bears no container's id: what it did is seen in the
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
    other = await containers.look_owned(target, target_owner)
    _check_resting(view, other)
    volume = str(view.config[keys[0]]).split(",", 1)[0]
    options = {"volume": keys[0], "target-vmid": other.vmid, "target-volume": _find_free_key(other)}
    try:
        task = await act(view, lambda: view.client.post(f"{view.path}/move_volume", **options), types=())
    except ProxmoxRefusedError:
        now = await containers.look(source)
        if keys[0] in now.config:
            raise
        return now.done(volume)  # an earlier request, whose answer was lost, has moved it meanwhile
    return ProxmoxTask(task.host_id, task.node, task.upid, volume)


def _check_resting(source: View, target: View) -> None:
    if source.is_running:
        raise ContainerRunningError(f"container {source.vmid} runs; stop it first")
    for view in (source, target):
        if view.lock:
            raise ContainerLockedError(f"container {view.vmid} is locked ({view.lock})", retry_after=2)


def _find_free_key(view: View) -> str:
    return next(f"mp{number}" for number in range(_MOST) if f"mp{number}" not in view.config)
