"""Places that storages stand for, by which two Proxmox hosts are known to see the same archives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_PBS_PORT = "8007"  # of a Proxmox Backup Server unless the storage names another
# The settings of storage.cfg that name the place, by type. Credentials, options and the storage's own name do not.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "nfs": ("server", "export"),
    "cifs": ("server", "share", "subdir"),
    "pbs": ("server", "port", "datastore", "namespace"),
    "cephfs": ("monhost", "fs-name", "subdir"),
    "dir": ("path",),
}
_REQUIRED = frozenset({"server", "export", "share", "datastore", "monhost", "path"})
_NORMALISED: Mapping[str, Callable[[str], str]] = {
    "server": lambda text: text.lower().rstrip("."),
    "port": lambda text: text or _PBS_PORT,
    "export": lambda text: text.rstrip("/") or "/",
    "path": lambda text: text.rstrip("/") or "/",
    "subdir": lambda text: text.strip("/"),
    "namespace": lambda text: text.strip("/"),
    "monhost": lambda text: " ".join(sorted(text.replace(",", " ").replace(";", " ").split())),
}


@dataclass(frozen=True)
class StoragePlace:
    """Server, path or datastore behind a storage: two hosts with the same place see the same archives.

    Attributes:
        type: of Proxmox's plugin.
        settings: those that name the place, in a form that can be compared.
    """

    type: str
    settings: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """As a person reads it: `nfs, server 10.0.0.5, export /backups`."""
        return ", ".join((self.type, *(f"{name} {value}" for name, value in self.settings if value)))


def find_place(definition: Mapping[str, Any]) -> StoragePlace | None:
    """Return the place of a storage as `GET /storage` defines it; None where no other host can see it.

    A directory counts where an administrator marked it shared: Proxmox takes their word that it is the same everywhere.
    """
    kind = str(definition.get("type") or "")
    names = _PLACES.get(kind, ())
    if not names or (kind == "dir" and not int(definition.get("shared") or 0)):
        return None
    found = {name: str(definition.get(name) or "") for name in names}
    if any(not found[name] for name in names if name in _REQUIRED):
        return None  # CephFS of the host's own cluster has no monitors in its definition
    settings = tuple((name, _NORMALISED.get(name, str)(value)) for name, value in found.items())
    return StoragePlace(kind, settings)
