"""Needs of a compose definition that an unprivileged container does not meet by itself: devices, capabilities, paths."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.catalog.domain.entities import OWN_SOURCE, Item
from services.catalog.domain.errors import UnsafeDefinitionError
from services.catalog.domain.item_files.document import Path
from services.catalog.domain.renderer.compose import Mount, is_on, parse_mounts, read_pairs

# Access to the socket is root over the whole container.
OPTIONAL_DEVICES = "x-proximity-optional-devices"
"""Devices that only make a service faster: it gets them where an administrator allows its item devices."""
_DOCKER_SOCKETS = frozenset({"/var/run/docker.sock", "/run/docker.sock"})


@dataclass(frozen=True, slots=True)
class HostNeed:
    """Something that a definition needs of its host, with its place in the definition."""

    need: str
    path: Path
    reason: str


def list_host_needs(compose: Mapping[str, Any]) -> list[HostNeed]:
    """Return everything that the definition needs of its host."""
    needs = [
        need for name, service in compose["services"].items() for need in _list_service_needs(name, service)
    ]
    for name, volume in (compose.get("volumes") or {}).items():
        if volume and (volume.get("driver_opts") or volume.get("driver", "local") != "local"):
            needs.append(HostNeed("host_paths", ("volumes", name), f"the volume {name} has driver options"))
        if volume and is_on(volume.get("external", False)):
            needs.append(HostNeed("files", ("volumes", name), f"the volume {name} is made outside"))
    for name, network in (compose.get("networks") or {}).items():
        if network and (is_on(network.get("external", False)) or network.get("driver", "bridge") != "bridge"):
            needs.append(
                HostNeed("host_network", ("networks", name), f"the network {name} is not the app's own")
            )
    for kind in ("secrets", "configs"):
        for name, entry in (compose.get(kind) or {}).items():
            if not isinstance(entry, dict) or not ({"content", "environment"} & entry.keys()):
                needs.append(HostNeed("files", (kind, name), f"{kind}.{name} is read from a file"))
    return needs


def is_permitted(item: Item, permitted: Collection[str]) -> bool:
    """Say whether an administrator lets an item use the host; `permitted` has ids of items, and `<source>.*`."""
    return item.id in permitted or f"{item.source}.*" in permitted


def check_host_needs(item: Item, permitted: Collection[str]) -> None:
    """Refuse an item that needs the host unless an administrator allowed it: the author's declaration is no permission.

    Args:
        item: `allows` has the needs that its author declared.
        permitted: ids of items, or `<source>.*`.

    Raises:
        UnsafeDefinitionError: naming what it needs.
    """
    if not item.allows or is_permitted(item, permitted):
        return
    whole = (
        ""
        if item.source == OWN_SOURCE
        else f" or, for all of its source, allow_host_needs of the source {item.source}"
    )
    raise UnsafeDefinitionError(
        f"{item.id} needs {', '.join(sorted(item.allows))} of the host; an administrator allows that with"
        f" CATALOG_HOST_NEEDS={item.id}{whole}"
    )


# Settings that reach outside of the definition or its containers, with the name of the need.
_FORBIDDEN = {
    "extends": "files", "env_file": "files", "volumes_from": "files", "external_links": "host_network",
    "cgroup_parent": "privileged", "credential_spec": "privileged", "storage_opt": "privileged",
    "device_cgroup_rules": "devices", "devices": "devices", "gpus": "devices",
    "build": "build", "runtime": "privileged", "develop": "build",
    "post_start": "privileged", "pre_stop": "privileged",
}  # fmt: skip


_HARMLESS_CAPABILITIES = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "KILL", "MKNOD", "NET_ADMIN",
     "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE"}
)  # fmt: skip
"""Docker's default capabilities, and those that in an unprivileged container apply to the container alone."""


_UNOBTAINABLE_CAPABILITIES = frozenset(
    {
        "ALL",
        "BPF",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "SYSLOG",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_TIME",
        "WAKE_ALARM",
    }
)
"""Capabilities that LXC drops for every unprivileged container, or that the kernel grants on the host only."""
# Devices that Proxmox can pass into an unprivileged container without giving it the host.
_OBTAINABLE_DEVICES = re.compile(r"/dev/(?:net/tun|dri(?:/[A-Za-z0-9]+)?|fuse)")


def is_obtainable(need: HostNeed, compose: Mapping[str, Any]) -> bool:
    """Return whether an unprivileged container can have what is needed, where an administrator allows it."""
    kind, name, key = (*need.path, "", "")[:3]
    if kind != "services" or key not in {"cap_add", "devices"}:
        return False
    values = compose["services"][name][key]
    if key == "cap_add":
        added = {str(one).upper().removeprefix("CAP_") for one in values}
        return not added & _UNOBTAINABLE_CAPABILITIES
    return all(map(is_obtainable_device, values))


def is_obtainable_device(device: object) -> bool:
    """Say whether an unprivileged container can have a device of a service."""
    return _OBTAINABLE_DEVICES.fullmatch(_read_device(device)) is not None


def list_devices(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the devices of the host that services of a definition use, each once."""
    services = definition["services"].values()
    return tuple(
        dict.fromkeys(_read_device(one) for service in services for one in service.get("devices") or ())
    )


def _read_device(device: object) -> str:
    source = device.get("source", "") if isinstance(device, dict) else device
    return str(source).partition(":")[0].rstrip("/")


def _is_harmless(capability: str) -> bool:
    return capability.upper().removeprefix("CAP_") in _HARMLESS_CAPABILITIES


def _list_service_needs(name: str, service: Mapping[str, Any]) -> Iterator[HostNeed]:
    at: Path = ("services", name)
    for key, need in _FORBIDDEN.items():
        if value := service.get(key):
            shown = f" ({', '.join(map(str, value))[:200]})" if isinstance(value, list) else ""
            yield HostNeed(need, (*at, key), f"{name} sets {key}{shown}")
    if strong := [cap for cap in service.get("cap_add") or [] if not _is_harmless(str(cap))]:
        yield HostNeed("capabilities", (*at, "cap_add"), f"{name} adds the capability {strong[0]}")
    if any(not key.startswith("net.") for key in read_pairs(service.get("sysctls"))):
        yield HostNeed("sysctls", (*at, "sysctls"), f"{name} sets sysctls")
    for key in ("privileged", "oom_kill_disable"):
        if is_on(service.get(key)):
            yield HostNeed("privileged", (*at, key), f"{name} sets {key}")
    for key in ("pid", "ipc", "uts", "userns_mode", "cgroup"):
        if not str(service.get(key) or "private").startswith(("private", "shareable", "service:", "none")):
            yield HostNeed("privileged", (*at, key), f"{name} uses the {key} of its host")
    yield from _list_setting_needs(name, service)
    for index, mount in enumerate(parse_mounts(service.get("volumes"))):
        if mount_need := find_mount_need(mount):
            yield HostNeed(mount_need, (*at, "volumes", index), f"{name} mounts {mount.source}")


def _list_setting_needs(name: str, service: Mapping[str, Any]) -> Iterator[HostNeed]:
    at: Path = ("services", name)
    mode = str(service.get("network_mode") or "bridge")
    if mode != "host" and not mode.startswith(("bridge", "none", "service:", "default")):
        yield HostNeed("host_network", (*at, "network_mode"), f"{name} uses the network {mode}")
    for index, option in enumerate(service.get("security_opt") or []):
        if not str(option).startswith("no-new-privileges"):
            yield HostNeed("security_options", (*at, "security_opt", index), f"{name} sets {option}")
    if _reserves_devices(service):
        yield HostNeed("devices", (*at, "deploy"), f"{name} reserves devices")


def _reserves_devices(service: Mapping[str, Any]) -> bool:
    resources = (service.get("deploy") or {}).get("resources") or {}
    return bool((resources.get("reservations") or {}).get("devices"))


def find_mount_need(mount: Mount) -> str | None:
    """Return what a mount needs of its host, or None: relative paths and named volumes are the app's own."""
    if mount.kind == "bind":
        if mount.source.rstrip("/") in _DOCKER_SOCKETS:
            return "docker_socket"
        return None if is_own_path(mount.source) else "host_paths"
    if mount.kind == "volume":
        return None if re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*|", mount.source) else "host_paths"
    return None if mount.kind == "tmpfs" else "files"


def is_own_path(source: str) -> bool:
    """Return whether a path stays within the folder of the app's own definition."""
    return source.startswith("./") and ".." not in source.split("/") and "$" not in source
