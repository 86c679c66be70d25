"""BackupContainer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View, check_unlocked
from services.inventory.domain.errors import (
    HostUnreachableError,
    WriteUncertainError,
)
from services.inventory.proxmox.archives import ArchiveVolume, read_archives, render_mark, render_notes
from services.inventory.proxmox.containers import ContainerLookup, list_running_tasks
from services.inventory.proxmox.storages import choose_storage
from services.inventory.proxmox.task_log import parse_backup_job
from services.inventory.proxmox.tasks import read_first_lines
from services.inventory.usecases.choose_backup_storage import find_backup_storage

_MODES = ("snapshot", "suspend", "stop")
_TASK_LOOKUPS = 5  # for the task of a request without an answer
_LOOKUP_INTERVAL_S = 0.2  # Proxmox lists a task as soon as it has forked
# The longest wait for the next second; a host whose clock is further ahead is not waited for.
_LONGEST_WAIT_S = 2.0


async def backup_container(
    containers: ContainerLookup,
    ref: ContainerRef,
    *,
    owner: str,
    mode: str,
    compression: str,
    storage: str,
    notes: str,
    protected: bool,
    backup_id: str,
) -> ProxmoxTask:
    """Start a vzdump. A backup whose archive is there already is done; its own run under way is returned.

    Somebody else's run is neither followed nor taken for ours: the mark is in the options that its log begins with.

    Raises:
        ContainerLockedError: Proxmox works on the container, perhaps for another backup.
    """
    view = await containers.get_owned(ref, owner)
    # By the mark in its notes: the nightly backup of the host is another run.
    if task := await _find_own_run(view, backup_id):
        return task
    if backup_id:
        found, _ = await read_archives(view.client, vmid=ref.vmid, node=view.node)
        for one in found:
            if render_mark(backup_id) in one.notes.splitlines():
                return view.done(one.volume_id)
        await _await_next_second(found)
    check_unlocked(view)
    options: dict[str, Any] = {
        "vmid": ref.vmid,
        "mode": mode if mode in _MODES else "snapshot",
        "compress": {"gzip": "gzip", "lzo": "lzo"}.get(compression, "zstd"),
        "storage": await _choose_storage(view, wanted=storage, protected=protected),
        # Retention is that of the backup policies: Proxmox must not prune by its own.
        "remove": 0,
    }
    if text := render_notes(notes, backup_id):
        options["notes-template"] = text.replace("\\", "\\\\").replace("\n", "\\n").replace("{{", "{ {")
    if protected:
        options["protected"] = 1
    try:
        upid = await view.client.post(f"/nodes/{view.node}/vzdump", **options)
    except WriteUncertainError:
        if task := await _await_own_run(view, backup_id):
            return task
        raise
    return ProxmoxTask(view.client.access.host_id, view.node, str(upid or ""))


async def _choose_storage(view: View, *, wanted: str, protected: bool) -> str:
    # With the protected flag, Proxmox does not apply the limit.
    if wanted or protected:
        return await choose_storage(view.client, view.node, content="backup", wanted=wanted)
    return await find_backup_storage(view)


async def _await_next_second(archives: Sequence[ArchiveVolume]) -> None:
    """Wait while the newest archive of the container has the current second in its name.

    Proxmox names archives by the second at which they begin: a second one would replace the first.
    """
    ahead = max((one.created_at for one in archives), default=0) + 1 - time.time()
    if 0 < ahead <= _LONGEST_WAIT_S:
        await asyncio.sleep(ahead)


async def _await_own_run(view: View, backup_id: str) -> ProxmoxTask | None:
    """Find the run that a request without an answer may have started."""
    for _ in range(_TASK_LOOKUPS):
        try:
            tasks = await list_running_tasks(view.client, view.node, vmid=view.vmid)
        except HostUnreachableError:
            tasks = ()
        if task := await _find_own_run(View(view.client, view.node, view.vmid, {}, {}, tasks), backup_id):
            return task
        await asyncio.sleep(_LOOKUP_INTERVAL_S)
    return None


async def _find_own_run(view: View, backup_id: str) -> ProxmoxTask | None:
    """Return the running vzdump of the container whose notes have the mark of this backup."""
    for task in view.tasks if backup_id else ():
        if task.get("type") != "vzdump":
            continue
        upid = str(task["upid"])
        job = parse_backup_job(await read_first_lines(view.client, view.node, upid=upid))
        if job.has_mark(render_mark(backup_id)):
            return ProxmoxTask(view.client.access.host_id, view.node, upid)
    return None
