"""Snapshots of containers; only those with the platform's prefix in their names are deleted by it."""

from __future__ import annotations

import time
from typing import Any

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View, check_unlocked
from services.inventory.domain.errors import (
    ContainerLockedError,
    ProxmoxRefusedError,
    SnapshotUnavailableError,
)
from services.inventory.domain.lock_texts import names_lock
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.tasks import watch_task

MARK = "proximity-"


async def snapshot_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, name: str
) -> ProxmoxTask:
    """Take a snapshot; one of this name is left alone.

    Raises:
        SnapshotUnavailableError: the container's storages have none.
    """
    view = await containers.get_owned(ref, owner)
    if task := view.find_task(("vzsnapshot",)):
        return task
    if name in await _list_names(view):
        return view.done(name)
    check_unlocked(view)
    if not await can_snapshot(view):
        raise SnapshotUnavailableError(
            f"not every disk of container {ref.vmid} is on a storage that supports snapshots"
        )
    task = await act(
        view, lambda: view.client.post(f"{view.path}/snapshot", snapname=name), types=("vzsnapshot",)
    )
    return ProxmoxTask(task.host_id, task.node, task.upid, name)


async def rollback_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, name: str
) -> ProxmoxTask:
    """Go back to a snapshot; the container is stopped then."""
    view = await containers.get_owned(ref, owner)
    if task := view.find_task(("vzrollback",)):
        return task
    check_unlocked(view)
    path = f"{view.path}/snapshot/{name}/rollback"
    return await act(view, lambda: view.client.post(path), types=("vzrollback",))


async def delete_snapshot(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, name: str
) -> ProxmoxTask:
    """Delete a snapshot; one that is gone is done, one that is being taken is waited for."""
    view = await containers.get_owned(ref, owner)
    if task := view.find_task(("vzdelsnapshot",)):
        return task
    # Its name is not listed yet, so that it would count as gone.
    if view.find_task(("vzsnapshot",)):
        raise ContainerLockedError(f"a snapshot of container {ref.vmid} is being taken", retry_after=2)
    if name not in await _list_names(view):
        return view.done()
    check_unlocked(view)
    path = f"{view.path}/snapshot/{name}"
    return await act(view, lambda: view.client.delete(path), types=("vzdelsnapshot",))


async def drop_snapshots(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, min_age_s: float
) -> list[str]:
    """Delete the platform's own snapshots that are at least `min_age_s` seconds old, and return their names.

    Raises:
        ContainerLockedError: Proxmox works on the container, and may need one.
        ProxmoxRefusedError: one could not be deleted.
    """
    view = await containers.get_owned(ref, owner)
    latest = time.time() - min_age_s
    old = [
        str(one["name"])
        for one in await _list_snapshots(view)
        if str(one["name"]).startswith(MARK) and (not min_age_s or int(one.get("snaptime") or 0) <= latest)
    ]
    if old:
        check_unlocked(view)
    for name in old:
        await _delete(view, name)
    return old


async def can_snapshot(view: View) -> bool:
    """Whether Proxmox can take a snapshot of a container as it is."""
    # Proxmox decides by the storage of every volume; a mount of a directory of the node prevents snapshots as well.
    feature = await view.client.get(f"{view.path}/feature", feature="snapshot")
    return bool(int(feature.get("hasFeature") or 0))


async def take_snapshot(view: View, name: str, *, instead_of: str) -> None:
    """Take a snapshot to its end, and delete those whose names begin with `instead_of` before.

    Raises:
        ContainerLockedError: a lock keeps Proxmox from it.
        ProxmoxRefusedError: it failed.
    """
    for one in await _list_names(view):
        if one.startswith(instead_of):
            await _delete(view, one)
    await _follow(view, str(await view.client.post(f"{view.path}/snapshot", snapname=name)))


async def _delete(view: View, name: str) -> None:
    """Delete a snapshot to its end; one that the operation which took it deletes at the same time is done."""
    try:
        await _follow(view, str(await view.client.delete(f"{view.path}/snapshot/{name}")))
    except ProxmoxRefusedError:
        if name in await _list_names(view):
            raise


async def _follow(view: View, upid: str) -> None:
    async for progress in watch_task(view.client, view.node, upid=upid):
        if not progress.done or progress.succeeded:
            continue
        sentence = f"{view.client.access.name}: {progress.reason}"
        # The task began before it found the lock: the same request succeeds once the backup that has it ends.
        if names_lock(progress.reason):
            raise ContainerLockedError(sentence, retry_after=2)
        raise ProxmoxRefusedError(sentence)


async def _list_snapshots(view: View) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await view.client.get(f"{view.path}/snapshot")
    return found


async def _list_names(view: View) -> list[str]:
    return [str(one["name"]) for one in await _list_snapshots(view)]
