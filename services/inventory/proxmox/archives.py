"""Backups of containers, and containers made of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.core.errors import DomainError, UnavailableError
from services.inventory.domain.errors import (
    ArchiveNotFoundError,
    ContainerElsewhereError,
    ContainerRunningError,
)
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.containers import (
    ContainerRef,
    Containers,
    ProxmoxTask,
    View,
    act,
    check_unlocked,
)
from services.inventory.proxmox.copy_networks import list_link_options
from services.inventory.proxmox.create import resume_creation
from services.inventory.proxmox.marks import TAG, check_owner, render_description
from services.inventory.proxmox.reading import ScannedContainer
from services.inventory.proxmox.storages import choose_storage

# A file of vzdump, or a snapshot on a Proxmox Backup Server: pbs:backup/ct/105/2026-01-31T12:00:00Z.
_FILE = re.compile(r"vzdump-lxc-(\d+)-|:backup/ct/(\d+)/")
_MODES = ("snapshot", "suspend", "stop")
_RESTORING = ("vzrestore", "vzcreate")
_KEPT = ("memory", "swap", "cores")  # of the app as it is now; the archive may be older than its last change


@dataclass(frozen=True)
class ArchiveVolume:
    """A vzdump archive; size in bytes, time in epoch seconds."""

    volume_id: str
    storage: str
    node: str
    vmid: int
    size: float
    protected: bool
    notes: str
    created_at: int


def render_notes(notes: str, backup_id: str) -> str:
    """The notes of an archive: the platform's line names the backup it is."""
    lines = [notes.strip()] if notes.strip() else []
    return "\n".join([*lines, *([f"proximity-backup: {backup_id}"] if backup_id else [])])


async def backup_container(
    containers: Containers,
    ref: ContainerRef,
    owner: str,
    *,
    mode: str,
    compression: str,
    storage: str,
    notes: str,
    protected: bool,
    backup_id: str,
) -> ProxmoxTask:
    """Start a vzdump. A backup whose archive is there already is done; one under way is returned.

    Raises:
        ContainerLockedError: Proxmox works on the container, such as for its own backup at night.
    """
    view = await containers.look_owned(ref, owner)
    if task := view.find_task(("vzdump",)):
        return task
    if backup_id:
        found, _ = await list_archives(view.client, vmid=ref.vmid, node=view.node)
        for one in found:
            if f"proximity-backup: {backup_id}" in one.notes.splitlines():
                return view.done(one.volume_id)
    check_unlocked(view)
    target = await choose_storage(view.client, view.node, "backup", wanted=storage)
    options: dict[str, Any] = {
        "vmid": ref.vmid,
        "mode": mode if mode in _MODES else "snapshot",
        "compress": {"gzip": "gzip", "lzo": "lzo"}.get(compression, "zstd"),
        "storage": target,
        "remove": 0,
    }
    if text := render_notes(notes, backup_id):
        options["notes-template"] = text.replace("\\", "\\\\").replace("\n", "\\n").replace("{{", "{ {")
    if protected:
        options["protected"] = 1
    return await act(
        view, lambda: view.client.post(f"/nodes/{view.node}/vzdump", **options), types=("vzdump",)
    )


async def restore_container(
    containers: Containers,
    ref: ContainerRef,
    owner: str,
    *,
    archive: str,
    beside: bool,
    hostname: str,
    storage: str,
    find_owned: Callable[..., Awaitable[Sequence[ScannedContainer]]],
) -> ProxmoxTask:
    """Overwrite the owner's stopped container with an archive, or make a new one of it with the owner's marks.

    A container that an earlier restore lost is made anew under its id, unless another one carries the owner's marks.

    Raises:
        ContainerElsewhereError: there is none, and another one carries the owner's marks.
        ContainerRunningError: what would be overwritten runs.
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
    if view.is_running:
        raise ContainerRunningError(f"container {ref.vmid} runs; stop it first")
    options = {
        "vmid": ref.vmid,
        "ostemplate": archive,
        "restore": 1,
        "force": 1,
        "storage": storage or str(view.config["rootfs"]).split(":")[0],
        "description": view.config.get("description"),
        "tags": view.config.get("tags"),
        **{name: view.config.get(name) for name in _KEPT},
        **list_link_options(view.config),
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
    options = {
        "vmid": ref.vmid,
        "ostemplate": archive,
        "restore": 1,
        "unique": int(unique),
        "storage": await choose_storage(client, ref.node, "rootdir", wanted=storage),
        "hostname": hostname or None,
        "description": render_description(owner),
        "tags": TAG,
    }
    if unique:
        await containers.vmids.mark_copy(ref.host_id, owner, is_copy=True)
    new = View(client, ref.node, ref.vmid, {})
    return await act(new, lambda: client.post(f"/nodes/{ref.node}/lxc", **options), types=_RESTORING)


async def list_archives(
    client: ProxmoxClient, *, vmid: int = 0, storage: str = "", node: str = ""
) -> tuple[list[ArchiveVolume], bool]:
    """Return the archives of a container, or of all, newest first, and whether every storage answered."""
    places, complete = await _list_places(client, storage, node)
    answers = await asyncio.gather(
        *(
            client.get(f"/nodes/{where}/storage/{name}/content", content="backup", vmid=vmid or None)
            for name, where in places
        ),
        return_exceptions=True,
    )
    found: dict[tuple[str, str], ArchiveVolume] = {}
    for (name, where), answer in zip(places, answers, strict=True):
        if isinstance(answer, DomainError):
            complete = False
            continue
        if isinstance(answer, BaseException):
            raise answer
        for one in answer:
            if _FILE.search(str(one["volid"])) and (not vmid or _read_vmid(one) == vmid):
                found[(str(one["volid"]), where)] = _build_archive(one, name, where)
    return sorted(found.values(), key=lambda one: (-one.created_at, one.volume_id)), complete


async def _list_places(client: ProxmoxClient, storage: str, node: str) -> tuple[list[tuple[str, str]], bool]:
    """A node for every storage: shared ones are asked once."""
    places: dict[str, tuple[str, str]] = {}
    complete = True
    resources = await client.get("/cluster/resources", type="storage")
    for one in sorted(resources, key=lambda one: one.get("node") != node):
        if "backup" not in str(one.get("content") or "backup").split(",") or storage not in (
            "",
            one["storage"],
        ):
            continue
        if one.get("status") != "available":
            complete = complete and bool(int(one.get("shared") or 0))
            continue
        key = one["storage"] if int(one.get("shared") or 0) else f"{one['storage']} {one['node']}"
        places.setdefault(key, (str(one["storage"]), str(one["node"])))
    return list(places.values()), complete


async def find_archive(client: ProxmoxClient, volume_id: str) -> ArchiveVolume:
    """Return an archive by its volume id.

    Raises:
        ArchiveNotFoundError: no storage has it.
        UnavailableError: those that answer do not have it, and one does not answer.
    """
    found, complete = await list_archives(client, storage=volume_id.partition(":")[0])
    for one in found:
        if one.volume_id == volume_id:
            return one
    if not complete:
        raise UnavailableError(f"not every storage of {client.access.name} that may hold the archive answers")
    raise ArchiveNotFoundError(f"{client.access.name} has no archive {volume_id[:200]!r}")


async def update_archive(
    client: ProxmoxClient, volume_id: str, *, notes: str | None, protected: bool | None
) -> None:
    """Change notes and protection."""
    archive = await find_archive(client, volume_id)
    path = f"/nodes/{archive.node}/storage/{archive.storage}/content/{volume_id}"
    await client.put(path, notes=notes, protected=protected)


async def delete_archive(client: ProxmoxClient, volume_id: str) -> ProxmoxTask:
    """Delete an archive; one that is gone is done."""
    try:
        archive = await find_archive(client, volume_id)
    except ArchiveNotFoundError:
        return ProxmoxTask(client.access.host_id, "")
    path = f"/nodes/{archive.node}/storage/{archive.storage}/content/{volume_id}"
    upid = await client.delete(path)
    return ProxmoxTask(client.access.host_id, archive.node, str(upid or ""))


def _read_vmid(one: dict[str, Any]) -> int:
    match = _FILE.search(str(one["volid"]))
    return int(one.get("vmid") or (match.group(1) or match.group(2) if match else 0))


def _build_archive(one: dict[str, Any], storage: str, node: str) -> ArchiveVolume:
    return ArchiveVolume(
        volume_id=str(one["volid"]),
        storage=storage,
        node=node,
        vmid=_read_vmid(one),
        size=float(one.get("size") or 0),
        protected=bool(int(one.get("protected") or 0)),
        notes=str(one.get("notes") or ""),
        created_at=int(one.get("ctime") or 0),
    )


async def find_volume_id(client: ProxmoxClient, node: str, file: str) -> str:
    """Return the volume id of an archive that vzdump's log names by its file or volume id; the file when none is.

    A Proxmox Backup Server's is named by its group and time: two containers may have the same time.
    """
    if file.partition(":")[2].startswith("backup/"):
        return file
    name = file if file.startswith("ct/") else file.rpartition("/")[2]
    found, _ = await list_archives(client, node=node)
    return next((one.volume_id for one in found if one.volume_id.endswith(f"/{name}")), file)
