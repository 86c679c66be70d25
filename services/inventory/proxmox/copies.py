"""Clones, migrations and changes of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import Any

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.inventory.domain.errors import (
    ContainerLockedError,
    ContainerRunningError,
    NodeUnknownError,
)
from services.inventory.proxmox.containers import (
    ContainerRef,
    Containers,
    ProxmoxTask,
    View,
    act,
    check_unlocked,
)
from services.inventory.proxmox.create import merge_environment, resume_creation
from services.inventory.proxmox.disks import read_disk_gb
from services.inventory.proxmox.marks import (
    add_marks,
    check_owner,
    drop_marks,
    find_named_owner,
    find_owner,
    render_description,
)
from services.inventory.proxmox.snapshots import MARK, can_snapshot, take_snapshot
from services.inventory.proxmox.tasks import watch_task

log = get_logger()

CLONE_SNAPSHOT = f"{MARK}clone"
_GIB = 1 << 30


async def clone_container(
    containers: Containers,
    source: ContainerRef,
    *,
    source_owner: str,
    target: ContainerRef,
    target_owner: str,
    hostname: str,
) -> ProxmoxTask:
    """Copy a container to one of another owner; a running one from a snapshot.

    Raises:
        ContainerRunningError: it runs on a storage without snapshots; stop it first.
        VmidTakenError: the target's id belongs to somebody else.
        CreationBrokenError: an earlier copy was broken off; destroy it first.
    """
    view = await containers.look_owned(source, source_owner)
    copy = await containers.find(target)
    if copy is not None:
        return await resume_creation(containers, copy, target_owner, types=("vzclone",), source=view)
    await containers.check_reserved(target, target_owner)
    if view.find_task(("vzclone",)):  # of another target: ours would be there, locked
        raise ContainerLockedError(f"container {view.vmid} is being cloned already", retry_after=2)
    check_unlocked(view)
    options: dict[str, Any] = {
        "newid": target.vmid,
        "hostname": hostname,
        "full": 1,
        "description": render_description(target_owner),
    }
    if target.node and target.node != view.node:
        options["target"] = target.node
    if view.is_running:
        options["snapname"] = await _make_clone_snapshot(view, target.vmid)
    await containers.vmids.mark_copy(target.host_id, target_owner, is_copy=True)
    task = await act(view, lambda: view.client.post(f"{view.path}/clone", **options), types=("vzclone",))
    if view.is_running:
        _spawn(_drop_after(view, task, str(options["snapname"])))
    return task


_cleaning: set[asyncio.Task[None]] = set()


def _spawn(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    _cleaning.add(task)
    task.add_done_callback(_cleaning.discard)


async def _drop_after(view: View, task: ProxmoxTask, name: str) -> None:
    """Delete a clone's snapshot when the clone has ended; the next clone finds what a crash leaves behind."""
    try:
        async for _ in watch_task(view.client, task.node, task.upid):
            pass
        await view.client.delete(f"{view.path}/snapshot/{name}")
    except DomainError as error:
        log.warning("clone_snapshot_left", vmid=view.vmid, snapshot=name, error=error.message)


async def _make_clone_snapshot(view: View, target: int) -> str:
    if not await can_snapshot(view):
        raise ContainerRunningError(
            f"container {view.vmid} runs on a storage without snapshots; stop it to clone it",
            metadata={"can_snapshot": "false"},
        )
    name = f"{CLONE_SNAPSHOT}-{target}"
    await take_snapshot(view, name, instead_of=CLONE_SNAPSHOT)  # one of an earlier clone is no longer true
    return name


async def migrate_container(
    containers: Containers, ref: ContainerRef, owner: str, *, target_node: str
) -> ProxmoxTask:
    """Move a container to another node of its cluster; a running one is restarted there."""
    view = await containers.look_owned(ref, owner)
    if task := view.find_task(("vzmigrate", "hamigrate")):
        return task
    if view.node == target_node:
        return view.done()
    names = {one.get("node") for one in await view.client.get("/nodes")}
    if target_node not in names:
        raise NodeUnknownError(f"node: {view.client.access.name} has no node {target_node[:100]!r}")
    check_unlocked(view)
    options: dict[str, Any] = {"target": target_node, **({"restart": 1} if view.is_running else {})}
    return await act(
        view, lambda: view.client.post(f"{view.path}/migrate", **options), types=("vzmigrate", "hamigrate")
    )


async def adopt_container(
    containers: Containers, ref: ContainerRef, owner: str, *, instead_of: str = ""
) -> None:
    """Put the owner's marks on a container that nobody owns, or that carries the marks of `instead_of`.

    Raises:
        NotOursError: somebody else owns it.
        ContainerLockedError: Proxmox works on it.
    """
    view = await containers.look(ref)
    found = find_owner(view.config)
    if found == owner:
        return
    if found is not None and found != instead_of:
        check_owner(view.config, owner, vmid=ref.vmid)
    check_unlocked(view)
    await _put_config(view, add_marks(view.config, owner))


async def release_container(containers: Containers, ref: ContainerRef, owner: str) -> None:
    """Take the owner's marks off, also where only the description has one; a container that is gone is done."""
    view = await containers.find(ref)
    if view is None or find_named_owner(view.config) is None:
        return
    if find_named_owner(view.config) == owner:
        check_unlocked(view)
        await _put_config(view, drop_marks(view.config))
        return
    if find_owner(view.config) is None:
        return
    check_owner(view.config, owner, vmid=ref.vmid)


async def configure_container(
    containers: Containers,
    ref: ContainerRef,
    owner: str,
    *,
    changes: Mapping[str, Any],
    disk_gb: int | None = None,
    environment: Mapping[str, str] | None = None,
    dropped_variables: Collection[str] = (),
) -> ProxmoxTask:
    """Change the configuration, and grow the root disk when it is smaller than asked."""
    view = await containers.look_owned(ref, owner)
    options = {name: value for name, value in changes.items() if str(view.config.get(name, "")) != str(value)}
    if environment or dropped_variables:
        options["env"] = merge_environment(view.config, environment or {}, dropped=dropped_variables)
    if options:
        check_unlocked(view)
        await _put_config(view, options)
    if disk_gb is None or read_disk_gb(view.config) >= disk_gb:
        return view.done()
    if task := view.find_task(("resize",)):
        return task
    check_unlocked(view)
    return await act(
        view,
        lambda: view.client.put(f"{view.path}/resize", disk="rootfs", size=f"{disk_gb}G"),
        types=("resize",),
    )


async def _put_config(view: View, options: Mapping[str, Any]) -> None:
    await view.client.put(f"{view.path}/config", **{**options, "digest": view.config.get("digest")})
    await asyncio.sleep(0)
