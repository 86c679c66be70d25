"""Archives that another host made, as a host lists them that sees the same storage or has a copy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.restore_plans import ArchiveSource
from services.inventory.domain.storage_places import find_place
from services.inventory.proxmox.archives import ArchiveVolume, parse_vmid, read_archives, render_mark
from services.inventory.proxmox.storages import list_definitions

Definitions = Mapping[str, Mapping[str, Any]]
"""Storages of a host by name, as `GET /storage` has them."""
_UNKNOWN_SIZE = 1.0  # of an archive on a Proxmox Backup Server that does not say
_REMEDY = (
    "add a storage to it that both hosts see (the same NFS or CIFS share, or datastore of a Proxmox Backup Server), or copy "
    "the archive with its .notes file into the dump folder of one of its storages for backups"
)


@dataclass(frozen=True)
class FoundArchives:
    """An archive on a host, once for each node that it is on.

    Attributes:
        problem: why there is none.
        is_expected: whether there should be one, because the host sees its storage.
    """

    archives: Sequence[ArchiveVolume] = ()
    problem: str = ""
    is_expected: bool = False


async def find_archives_of(
    client: ProxmoxApi, source: ArchiveSource, *, read_definitions: Callable[[], Awaitable[Definitions]]
) -> FoundArchives:
    """Find an archive on a host, which may be another one than the host that made it.

    On another host it is the same archive if its notes name the same backup, which needs no answer of the host that made
    it; else if both storages are one place, and name and size are the same. A name alone proves nothing: clusters give
    the same container ids.

    Args:
        client: of the host.
        source: the archive.
        read_definitions: reads the storages of the host that made it.

    Raises:
        HostUnreachableError: a storage that should have it does not answer.
    """
    # All archives of a Proxmox Backup Server take minutes to list, those of one container do not.
    listed, complete = await read_archives(client, vmid=parse_vmid(source.volume_id))
    if client.access.host_id == source.host_id:
        same = [one for one in listed if one.volume_id == source.volume_id]
        problem = f"{client.access.name} has no archive {source.volume_id[:200]!r}"
        found = FoundArchives(same, problem, is_expected=True)
    else:
        named = [one for one in listed if one.volume_id.partition(":")[2] == source.file_name]
        marked = [one for one in named if _has_mark(one, source.backup_id)]
        found = (
            FoundArchives(marked)
            if marked
            else await _compare_places(client, named, source=source, read_definitions=read_definitions)
        )
    if found.is_expected and not found.archives and not complete:
        raise HostUnreachableError(
            f"not every storage of {client.access.name} that may have the archive answers", retry_after=30
        )
    first = [one for one in found.archives if one.volume_id == found.archives[0].volume_id]
    return FoundArchives(first, found.problem, found.is_expected)


def _has_mark(archive: ArchiveVolume, backup_id: str) -> bool:
    return bool(backup_id) and render_mark(backup_id) in archive.notes.splitlines()


async def _compare_places(
    client: ProxmoxApi,
    named: Sequence[ArchiveVolume],
    *,
    source: ArchiveSource,
    read_definitions: Callable[[], Awaitable[Definitions]],
) -> FoundArchives:
    """Find those archives of a name that are on the storage of the source."""
    here, name = client.access.name, source.volume_id.partition(":")[0]
    try:
        definition = (await read_definitions()).get(name)
    except DomainError as error:
        problem = f"no archive of {here} has the mark of the backup in its notes, and its storages cannot be compared"
        return FoundArchives(problem=f"{problem}: {error.message}; {_REMEDY}")
    place = find_place(definition or {})
    if place is None:
        kind = str((definition or {}).get("type") or "unknown")
        problem = f"storage {name!r} with the archive ({kind}) is one that {here} cannot see"
        return FoundArchives(problem=f"{problem}; {_REMEDY}")
    shared = {one for one, each in (await list_definitions(client)).items() if find_place(each) == place}
    if not shared:
        problem = f"{here} has no storage for the place of {name!r} ({place})"
        return FoundArchives(problem=f"{problem}; {_REMEDY}")
    sizes = {source.size, _UNKNOWN_SIZE}
    same = [one for one in named if one.storage in shared and (not source.size or one.size in sizes)]
    problem = (
        f"storage {min(shared)!r} of {here} is the place of {name!r} ({place}), and does not list the archive "
        f"{source.file_name[:200]!r}; check which content it has, and what the credentials of {here} may see"
    )
    return FoundArchives(same, problem, is_expected=True)
