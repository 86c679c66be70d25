"""Backup archives on the storages of a host: listed, found, changed, deleted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.disks import parse_configuration
from services.inventory.domain.errors import (
    ArchiveNotFoundError,
    ArchiveUnreadableError,
    ArchiveUnsuitableError,
    HostUnreachableError,
    ProxmoxRefusedError,
)
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.storages import list_definitions
from services.inventory.proxmox.task_log import BackupJob

# A file of vzdump, or a snapshot on a Proxmox Backup Server: pbs:backup/ct/105/2026-01-31T12:00:00Z.
_FILE = re.compile(r"vzdump-lxc-(\d+)-|:backup/ct/(\d+)/")
_OF_VM = re.compile(r"vzdump-(qemu|openvz)-|:backup/(vm|host)/")
_MARK = "proximity-backup: "
_NO_CONFIGURATION = "contains no configuration file"  # of PVE::Storage; vzdump writes it first


@dataclass(frozen=True)
class ArchiveVolume:
    """A vzdump archive; size in bytes, time in epoch seconds.

    Attributes:
        notes: the first line of them on a file storage, all on a Proxmox Backup Server.
        verification: of a Proxmox Backup Server: ok or failed; empty: it has not verified the archive.
        encrypted: with a key of the Proxmox host.
    """

    volume_id: str
    storage: str
    node: str
    vmid: int
    size: float
    protected: bool
    notes: str
    created_at: int
    verification: str = ""
    encrypted: bool = False

    @property
    def is_on_backup_server(self) -> bool:
        """Whether it is a snapshot on a Proxmox Backup Server, and no file."""
        return ":backup/ct/" in self.volume_id

    @property
    def path(self) -> str:
        """The archive's path in the API."""
        return f"/nodes/{self.node}/storage/{self.storage}/content/{self.volume_id}"


def check_name(volume_id: str) -> None:
    """Refuse the name of what is no archive of a container.

    Raises:
        ArchiveUnsuitableError: it is that of a virtual machine, or none that Proxmox gives to archives.
    """
    if _OF_VM.search(volume_id):
        raise ArchiveUnsuitableError(
            f"{volume_id[:200]} is an archive of a virtual machine; apps run in containers"
        )
    if not _FILE.search(volume_id):
        raise ArchiveUnsuitableError(
            f"{volume_id[:200]!r} is not named as an archive of a container: Proxmox lists only files named as "
            "vzdump-lxc-105-2026_01_31-12_00_00.tar.zst; give the file its original name"
        )


def render_mark(backup_id: str) -> str:
    """The line of an archive's notes that names the backup it is."""
    return f"{_MARK}{backup_id}"


def render_notes(notes: str, backup_id: str) -> str:
    """The notes of an archive: the mark first, as a listing of a file storage shows only the first line."""
    mark = [render_mark(backup_id)] if backup_id else []
    return "\n".join([*mark, *([notes.strip()] if notes.strip() else [])])


async def read_archives(
    client: ProxmoxApi, *, vmid: int = 0, storage: str = "", node: str = ""
) -> tuple[list[ArchiveVolume], bool]:
    """Return the archives of a container, or of all, newest first, and whether every storage answered."""
    places, complete = await _list_places(client, storage, node=node)
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
                # By node too: local storages of two nodes may have files of the same name.
                found[(str(one["volid"]), where)] = _build_archive(one, name, node=where)
    return sorted(found.values(), key=lambda one: (-one.created_at, one.volume_id)), complete


async def _list_places(client: ProxmoxApi, storage: str, *, node: str) -> tuple[list[tuple[str, str]], bool]:
    """Return a node for every storage; shared storages are read through one node only."""
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
            # A shared storage that one node does not see may be available on another one.
            complete = complete and bool(int(one.get("shared") or 0))
            continue
        key = one["storage"] if int(one.get("shared") or 0) else f"{one['storage']} {one['node']}"
        places.setdefault(key, (str(one["storage"]), str(one["node"])))
    # /cluster/resources leaves disabled storages out, whose archives are there again once they are enabled.
    if complete and storage and all(one["storage"] != storage for one in resources):
        complete = storage not in await list_definitions(client)
    return list(places.values()), complete


async def find_archive(client: ProxmoxApi, volume_id: str, *, node: str = "") -> ArchiveVolume:
    """Return an archive by its volume id, preferably as `node` sees it.

    Raises:
        ArchiveNotFoundError: no storage has it.
        HostUnreachableError: those that answer do not have it, and one does not answer.
    """
    found, complete = await read_archives(client, storage=volume_id.partition(":")[0], node=node)
    places = [one for one in found if one.volume_id == volume_id]
    if places:
        return next((one for one in places if one.node == node), places[0])
    if not complete:
        raise HostUnreachableError(
            f"not every storage of {client.access.name} that may hold the archive answers"
        )
    raise ArchiveNotFoundError(f"{client.access.name} has no archive {volume_id[:200]!r}")


async def read_configuration(client: ProxmoxApi, volume_id: str) -> dict[str, str]:
    """Read the configuration in an archive.

    Raises:
        ArchiveNotFoundError: no storage has it.
        ArchiveUnreadableError: it has none.
    """
    return parse_configuration(await read_configuration_file(client, await find_archive(client, volume_id)))


async def read_configuration_file(client: ProxmoxApi, archive: ArchiveVolume) -> str:
    """Read the configuration file in an archive, with its description.

    Raises:
        ArchiveUnreadableError: it has none.
    """
    volume_id = archive.volume_id
    try:
        text = await client.get(f"/nodes/{archive.node}/vzdump/extractconfig", volume=volume_id)
    except ProxmoxRefusedError as error:
        if _NO_CONFIGURATION not in error.message:
            raise
        raise ArchiveUnreadableError(f"the archive {volume_id} is damaged: {error.message}") from error
    return str(text)


def replace_notes(archive: ArchiveVolume, notes: str) -> str:
    """Return notes for an archive in which its mark, if it has one, stays the first line."""
    # Archives that the platform did not make have no mark and get none.
    first = archive.notes.split("\n", 1)[0]
    return render_notes(notes, first.removeprefix(_MARK) if first.startswith(_MARK) else "")


def parse_vmid(volume_id: str) -> int:
    """Return the container of an archive, which its name tells; 0 where it does not."""
    match = _FILE.search(volume_id)
    return int(match.group(1) or match.group(2)) if match else 0


def _read_vmid(one: dict[str, Any]) -> int:
    return int(one.get("vmid") or parse_vmid(str(one["volid"])))


def _read_verification(one: dict[str, Any]) -> str:
    """Return the state of the last verification; states of later releases count as none."""
    found = one.get("verification")
    state = str(found.get("state") or "") if isinstance(found, dict) else ""
    return state if state in {"ok", "failed"} else ""


def _build_archive(one: dict[str, Any], storage: str, *, node: str) -> ArchiveVolume:
    return ArchiveVolume(
        volume_id=str(one["volid"]),
        storage=storage,
        node=node,
        vmid=_read_vmid(one),
        size=float(one.get("size") or 0),
        protected=bool(int(one.get("protected") or 0)),
        notes=str(one.get("notes") or ""),
        created_at=int(one.get("ctime") or 0),
        verification=_read_verification(one),
        encrypted=bool(one.get("encrypted")),
    )


async def name_volume(client: ProxmoxApi, node: str, *, job: BackupJob | None, done: bool) -> str:
    """Return the volume id of the archive that vzdump's log names; empty until it does.

    Where the request named no storage, the id is known when the archive is listed, and the file's name stands for it.
    """
    if job is None or not job.archive:
        return ""
    if job.volume_id or not done:
        return job.volume_id
    found, _ = await read_archives(client, node=node)
    return next((one.volume_id for one in found if one.volume_id.endswith(f"/{job.name}")), job.archive)
