"""Root disk and mount points of a container's configuration, and what of them an archive holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from services.inventory.domain.errors import MountsNotRestorableError

_KEY = re.compile(r"rootfs|mp\d+|unused\d+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")
_GB = {"": 1 / (1 << 30), "K": 1 / (1 << 20), "M": 1 / 1024, "G": 1.0, "T": 1024.0}
_MOST_MOUNTS = 256  # mp0 to mp255
_TRUE = frozenset({"1", "on", "yes", "true"})


@dataclass(frozen=True)
class Disk:
    """A root disk (`rootfs`), a mount point (`mp0`) or a detached volume (`unused0`) of a container.

    Attributes:
        source: a volume id, or a path of the host for bind mounts and devices.
        options: by name, as configured.
    """

    key: str
    source: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Mount path in the container; empty for a detached volume."""
        return "/" if self.key == "rootfs" else self.options.get("mp", "")

    @property
    def is_volume(self) -> bool:
        """Whether it is a volume of a storage, and no path of the host."""
        return not self.source.startswith("/")

    @property
    def storage(self) -> str:
        """The storage of a volume."""
        return self.source.partition(":")[0] if self.is_volume else ""

    @property
    def size_gb(self) -> float:
        """The size in GiB; 0 for a directory without a limit."""
        match = _SIZE.fullmatch(self.options.get("size", "0"))
        return float(match.group(1)) * _GB[match.group(2)] if match else 0.0

    @property
    def is_archived(self) -> bool:
        """Whether vzdump takes it into an archive: the root disk, and mount points with backup=1."""
        marked = self.options.get("backup", "").lower() in _TRUE
        return self.is_volume and (self.key == "rootfs" or (bool(self.path) and marked))

    def describe(self) -> str:
        """For a person: `mp0 (/srv/photos, 50 GB on tank)`."""
        size = f"{self.size_gb:g} GB on {self.storage}" if self.is_volume else f"the host's {self.source}"
        return f"{self.key} ({self.path}, {size})" if self.path else f"{self.key} ({self.source})"

    def render(self, source: str) -> str:
        """The option of a request that makes it of `source`."""
        others = [f"{name}={value}" for name, value in self.options.items() if name not in ("mp", "size")]
        path = [f"mp={self.path}"] if self.key != "rootfs" else []
        return ",".join([source, *path, *others])


def parse_disks(config: Mapping[str, Any]) -> list[Disk]:
    """Return the disks of a configuration, the root disk first, then by key."""
    found = []
    for key in sorted(filter(_KEY.fullmatch, config), key=_order):
        first, *rest = str(config[key]).split(",")
        options = dict(part.partition("=")[::2] for part in rest)
        found.append(Disk(key, first.removeprefix("volume="), options))
    return found


def _order(key: str) -> tuple[bool, str, int]:
    match = re.fullmatch(r"([a-z]+?)(\d*)", key)
    name, number = match.groups() if match else (key, "")
    return key != "rootfs", name, int(number or 0)


def parse_configuration(text: str) -> dict[str, str]:
    """Return the options of a configuration file, without its snapshots."""
    options = {}
    for line in text.splitlines():
        if line.startswith("["):
            break
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            options[name.strip()] = value.strip()
    return options


def parse_description(text: str) -> str:
    """Return the description in a configuration file, which Proxmox writes as comments with escaped characters."""
    lines = text.split("\n[", 1)[0].splitlines()
    return "\n".join(unquote(line[1:]) for line in lines if line.startswith("#"))


def find_unarchived(config: Mapping[str, Any], archive: Mapping[str, Any] | None = None) -> list[Disk]:
    """Return the volumes of a container that an archive lacks.

    Args:
        config: of the container as it is.
        archive: the configuration in an archive that would be restored over it, which destroys all of its volumes, also
            detached ones; None: of an archive that would be made now.
    """
    mounts = [one for one in parse_disks(config) if one.is_volume and one.key != "rootfs"]
    if archive is None:
        return [one for one in mounts if one.path and not one.is_archived]
    # By mount path and not by key: keys change when mount points are removed and added.
    archived = {one.path for one in parse_disks(archive) if one.is_archived}
    return [one for one in mounts if one.path not in archived]


def find_overwritten(config: Mapping[str, Any], archive: Mapping[str, Any]) -> list[Disk]:
    """Return the volumes of a container whose content is replaced when an archive is restored over it."""
    archived = {one.path for one in parse_disks(archive) if one.is_archived}
    return [one for one in parse_disks(config) if one.is_volume and one.path in archived]


def check_host_paths(config: Mapping[str, Any], *, may_restore: bool) -> None:
    """Refuse to restore over bind mounts and devices with credentials that may not make them again.

    Raises:
        MountsNotRestorableError: naming them.
    """
    paths = [one for one in parse_disks(config) if not one.is_volume]
    if paths and not may_restore:
        raise MountsNotRestorableError(
            "the container has mount points that only root@pam may restore: "
            f"{', '.join(one.describe() for one in paths)}; register its Proxmox host with root's password, "
            "or take them off the container first"
        )


def list_wanted(disk: Disk, storage: str) -> tuple[str, str]:
    """Return where a disk of an archive is restored to, by preference: `storage` is the one named for the root disk."""
    return (storage, disk.storage) if disk.key == "rootfs" else (disk.storage, storage)


def choose_storage(names: Sequence[str], wanted: Sequence[str]) -> str:
    """Return the first wanted storage that the node has, else the first one: that with most free space."""
    return next((one for one in wanted if one in names), names[0])


def find_free_mount(config: Mapping[str, Any]) -> str:
    """Return the key of the first mount point that a configuration does not have yet."""
    return next(f"mp{number}" for number in range(_MOST_MOUNTS) if f"mp{number}" not in config)


def read_disk_gb(config: Mapping[str, Any]) -> float:
    """Return the size of the root disk in GiB; 0 where the configuration does not state it.

    A running container's `maxdisk` is the size of its file system, which is smaller.
    """
    return next((one.size_gb for one in parse_disks(config) if one.key == "rootfs"), 0.0)
