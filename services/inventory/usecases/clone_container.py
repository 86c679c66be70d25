"""CloneContainer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View, check_unlocked
from services.inventory.domain.errors import (
    ContainerLockedError,
    ContainerRunningError,
)
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.marks import (
    render_description,
)
from services.inventory.proxmox.tasks import watch_task
from services.inventory.usecases.create_container import resume_creation
from services.inventory.usecases.snapshots import MARK, can_snapshot, take_snapshot

log = get_logger()

CLONE_SNAPSHOT = f"{MARK}clone"


async def clone_container(
    containers: ContainerLookup,
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
    view = await containers.get_owned(source, source_owner)
    copy = await containers.find(target)
    if copy is not None:
        return await resume_creation(containers, copy, owner=target_owner, types=("vzclone",), source=view)
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
    # Before the request: a copy that starts must never use the addresses of its original, even after a crash here.
    await containers.vmids.mark_copy(target.host_id, target_owner, is_copy=True)
    task = await act(view, lambda: view.client.post(f"{view.path}/clone", **options), types=("vzclone",))
    if view.is_running:
        _spawn(_drop_after(view, task, name=str(options["snapname"])))
    return task


# References: asyncio itself holds tasks only weakly.
_cleaning: set[asyncio.Task[None]] = set()


def _spawn(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    _cleaning.add(task)
    task.add_done_callback(_cleaning.discard)


async def _drop_after(view: View, task: ProxmoxTask, *, name: str) -> None:
    """Delete a clone's snapshot when the clone has ended; the next clone finds what a crash leaves behind."""
    try:
        async for _ in watch_task(view.client, task.node, upid=task.upid):
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
