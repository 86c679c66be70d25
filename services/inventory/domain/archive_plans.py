"""Archives that are restored as new containers, also those of other platforms and hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.inventory.domain.disks import parse_disks
from services.inventory.domain.errors import ArchiveUnsuitableError
from services.inventory.domain.restore_tests import list_host_lines, list_removable


@dataclass(frozen=True, kw_only=True)
class ArchiveSummary:
    """An archive, and the container in it.

    Attributes:
        size: bytes, of the archive.
        created_at: seconds since the epoch.
        owner: the app that its description names; empty: none.
        architecture: as Proxmox names it; empty: the configuration does not say.
        disk_gb: GB, of the root disk.
        omitted: descriptions of volumes that are made empty, and of mounts that are not made.
    """

    size: float
    created_at: int
    vmid: int
    owner: str
    hostname: str
    architecture: str
    disk_gb: float
    omitted: tuple[str, ...]


def check_portable(saved: Mapping[str, Any], *, is_full_root: bool) -> None:
    """Refuse an archive that brings options back which reach the node, where those of its former node have no meaning.

    Devices come back with root's password alone; the container starts where the node has them too.

    Raises:
        ArchiveUnsuitableError: naming the options.
    """
    found = list_host_lines(saved) if is_full_root else list_removable(saved)
    found += [name for name in saved if name == "hookscript" and name not in found]
    if found:
        raise ArchiveUnsuitableError(
            f"the archive brings {', '.join(found)} back, which belong to the node that it was made on; take them off the "
            "container and make another backup"
        )


def list_unrestored(saved: Mapping[str, Any]) -> tuple[str, ...]:
    """Describe volumes whose content is not in an archive, and mounts that are not made of it."""
    return tuple(one.describe() for one in parse_disks(saved) if one.path and not one.is_archived)
