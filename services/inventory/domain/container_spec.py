"""Specifications of containers to create."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class MountPoint:
    """A volume of its own."""

    path: str
    size_gb: int
    backup: bool = True


@dataclass(frozen=True, kw_only=True)
class RestoredNetwork:
    """The network device of a container that is made of an archive, instead of those of the archive.

    Attributes:
        oci: the container is an application's image, which brings no DHCP client.
    """

    bridge: str = ""
    network_cidr: str = ""
    gateway: str = ""
    vlan_tag: int | None = None
    nameservers: tuple[str, ...] = ()
    oci: bool = False


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Specification of a new container; empty values leave the choice to Proxmox or to the inventory."""

    hostname: str
    memory_mb: int
    cores: int
    disk_gb: int
    swap_mb: int = 0
    template: str = ""
    storage: str = ""
    network_cidr: str = ""
    bridge: str = ""
    vlan_tag: int | None = None
    gateway: str = ""
    nameservers: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    docker: bool = False
    oci: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    entrypoint: str = ""
    mounts: tuple[MountPoint, ...] = ()
    note: str = ""
    ostype: str = ""
    devices: tuple[str, ...] = ()
