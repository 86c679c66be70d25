"""Options of Proxmox that make a new container."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from services.common.core.errors import invalid_field
from services.common.core.text import make_printable
from services.inventory.domain.container_spec import ContainerSpec, RestoredNetwork
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.devices import describe_device_obstacle, render_devices
from services.inventory.domain.errors import NodeUnsuitableError
from services.inventory.domain.placement import parse_version
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.marks import TAG, render_description
from services.inventory.proxmox.nodes import read_version
from services.inventory.proxmox.storages import choose_storage
from services.inventory.proxmox.templates import get_template


async def build_options(
    client: ProxmoxApi, ref: ContainerRef, *, owner: str, wanted: ContainerSpec
) -> dict[str, Any]:
    """Build the request that creates a container with the owner's marks."""
    storage = await choose_storage(client, ref.node, content="rootdir", wanted=wanted.storage)
    options: dict[str, Any] = {
        "vmid": ref.vmid,
        "ostemplate": await get_template(client, ref.node, wanted=wanted.template),
        "hostname": wanted.hostname,
        "memory": wanted.memory_mb,
        "swap": wanted.swap_mb,
        "cores": wanted.cores,
        "rootfs": f"{storage}:{wanted.disk_gb}",
        "net0": render_network(wanted),
        "unprivileged": 1,
        # Apps come back with their node.
        "onboot": 1,
        "tags": TAG,
        "description": render_description(owner, note=make_printable(wanted.note)),
    }
    if wanted.ostype:
        # Proxmox detects the distribution itself unless it is named.
        options["ostype"] = wanted.ostype
    if wanted.nameservers:
        options["nameserver"] = " ".join(wanted.nameservers)
    # Images have no login that a password would be for.
    if wanted.password and not wanted.oci:
        options["password"] = wanted.password
    if wanted.docker:
        # Docker needs nesting; only root may set keyctl, without which a few images fail.
        options["features"] = "nesting=1,keyctl=1" if client.access.is_full_root else "nesting=1"
    options |= await _pass_devices(client, wanted)
    for number, mount in enumerate(wanted.mounts):
        path = _check_part("mounts.path", mount.path)
        options[f"mp{number}"] = f"{storage}:{mount.size_gb},mp={path},backup={int(mount.backup)}"
    return options


async def _pass_devices(client: ProxmoxApi, wanted: ContainerSpec) -> dict[str, str]:
    """Build the options for the devices of a container.

    Raises:
        NodeUnsuitableError: the host gives none.
    """
    if not wanted.devices:
        return {}
    version = parse_version(await read_version(client))
    obstacle = describe_device_obstacle(
        wanted.devices, host=client.access.host, version=version, is_full_root=client.access.is_full_root
    )
    if obstacle:
        raise NodeUnsuitableError(obstacle)
    return render_devices(wanted.devices)


def _check_part(field_name: str, value: str) -> str:
    """A value that stays one part of an option like `name=eth0,ip=…`.

    Raises:
        InvalidError: it would begin another part.
    """
    if re.search(r"[,=\x00-\x1f\x7f]", value):
        raise invalid_field(field_name, f"{value[:80]!r} has a character that ends a part of an option")
    return value


def render_network(wanted: ContainerSpec | RestoredNetwork) -> str:
    """The option net0: DHCP unless an address is given.

    Raises:
        InvalidError: the address would be more than an address.
    """
    parts = ["name=eth0", f"bridge={wanted.bridge or 'vmbr0'}"]
    if not wanted.network_cidr or wanted.network_cidr == "dhcp":
        parts.append("ip=dhcp")
    else:
        cidr = _check_part("network_cidr", wanted.network_cidr)
        family = "ip6" if ":" in cidr else "ip"
        parts.append(f"{family}={cidr}")
        if wanted.gateway:
            parts.append(f"{'gw6' if family == 'ip6' else 'gw'}={wanted.gateway}")
    if wanted.oci:
        parts.append("host-managed=1")  # an application's image brings no DHCP client
    if wanted.vlan_tag is not None:
        parts.append(f"tag={wanted.vlan_tag}")
    return ",".join(parts)


def merge_environment(
    config: Mapping[str, Any], environment: Mapping[str, str], *, dropped: Collection[str] = ()
) -> str:
    """The option env, NUL-separated as Proxmox keeps it: what is there without `dropped`, changed by `environment`.

    Raises:
        InvalidError: an entry would begin another entry, or another line of the configuration.
    """
    for name, value in environment.items():
        if re.search(r"[\x00-\x1f\x7f=]", name) or re.search(r"[\x00-\x1f\x7f]", value):
            raise invalid_field(f"environment.{name[:80]!r}", "holds a control character")
    given = [entry.partition("=") for entry in str(config.get("env") or "").split("\0") if entry]
    merged = {name: value for name, _, value in given if name not in dropped} | dict(environment)
    return "\0".join(f"{name}={value}" for name, value in merged.items())
