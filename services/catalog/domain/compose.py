"""What a compose definition says: its ports, mounts and images, and what it asks of its host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.domain.document import Path, Value

_PORT = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9]+(?:\.[0-9]+){3}):)?(?:(?P<published>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>tcp|udp))?"
)
_DOCKER_SOCKETS = frozenset({"/var/run/docker.sock", "/run/docker.sock"})
_MAX_RANGE = 200


class InvalidComposeError(ValueError):
    """A port or mount is written in a way compose does not read."""


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of a service and where compose publishes it (None: compose chooses)."""

    target: int
    published: int | None
    protocol: str
    host_ip: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Mount:
    """Something mounted into a service. `kind` is volume, bind or tmpfs."""

    kind: str
    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class HostNeed:
    """Something a definition asks of its host, and where it does."""

    need: str
    path: Path
    reason: str


def parse_ports(entries: Value) -> list[PublishedPort]:
    """Read the `ports` of a service in short or long form; ranges become single ports.

    Raises:
        InvalidComposeError: not a port, or a range of more than 200.
    """
    ports: list[PublishedPort] = []
    for entry in entries or []:
        ports += _parse_long_port(entry) if isinstance(entry, dict) else _parse_short_port(str(entry))
    return ports


def _parse_long_port(entry: Mapping[str, Any]) -> list[PublishedPort]:
    published = str(entry.get("published", ""))
    if host := str(entry.get("host_ip", "")):
        published = f"[{host}]:{published}" if ":" in host else f"{host}:{published}"
    return _parse_short_port(
        f"{published}:{entry.get('target')}/{entry.get('protocol', 'tcp')}"
        if published
        else f"{entry.get('target')}/{entry.get('protocol', 'tcp')}"
    )


def _parse_short_port(text: str) -> list[PublishedPort]:
    match = _PORT.fullmatch(text)
    if match is None:
        raise InvalidComposeError(f"{text!r} is not a port")
    targets = _expand_range(match["target"])
    published = _expand_range(match["published"]) if match["published"] else []
    if len(targets) == 1:
        published = published[:1]  # compose would choose one of the range
    if published and len(published) != len(targets):
        raise InvalidComposeError(f"{text!r} maps {len(published)} ports to {len(targets)}")
    protocol = match["protocol"] or "tcp"
    return [
        PublishedPort(
            target, published[index] if published else None, protocol, (match["ip"] or "").strip("[]")
        )
        for index, target in enumerate(targets)
    ]


def _expand_range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    low, high = int(first or 0), int(last or first or 0)
    if not 1 <= low <= high <= 65_535 or high - low >= _MAX_RANGE:
        raise InvalidComposeError(
            f"{text!r} is not a port between 1 and 65535 or a range of at most {_MAX_RANGE}"
        )
    return list(range(low, high + 1))


def parse_mounts(entries: Value) -> list[Mount]:
    """Read the `volumes` of a service in short or long form.

    Raises:
        InvalidComposeError: a mount without a place in the container.
    """
    return [
        _parse_long_mount(entry) if isinstance(entry, dict) else _parse_short_mount(str(entry))
        for entry in entries or []
    ]


def _parse_long_mount(entry: Mapping[str, Any]) -> Mount:
    source = str(entry.get("source", ""))
    return Mount(str(entry["type"]), source, str(entry["target"]), is_on(entry.get("read_only", False)))


def _parse_short_mount(text: str) -> Mount:
    parts = split_mount(text)
    if len(parts) > 3 or not all(parts):
        raise InvalidComposeError(f"{text!r} is not a mount")
    if len(parts) == 1:
        return Mount("volume", "", parts[0], read_only=False)
    source, target = parts[0], parts[1]
    kind = "bind" if source.startswith((".", "/", "~")) or "$" in source[:2] else "volume"
    return Mount(kind, source, target, read_only=len(parts) == 3 and "ro" in parts[2].split(","))


def split_mount(text: str) -> list[str]:
    """Split a short mount at its colons, leaving those inside `${...}` alone."""
    parts, depth, current = [], 0, ""
    for position, character in enumerate(text):
        if character == "{" and text[position - 1 : position] == "$":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        if character == ":" and not depth:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def read_pairs(value: Mapping[str, Any] | list[str] | None) -> dict[str, Any]:
    """Read `environment` or `labels` in either of the forms compose takes."""
    if isinstance(value, list):
        return {
            key: text if equals else None for key, equals, text in (pair.partition("=") for pair in value)
        }
    return dict(value or {})


def is_on(value: object) -> bool:
    """Say whether compose could read the value as true (anything but a clear no)."""
    return value not in (False, None) and str(value).lower() not in {"false", "no", "off", "n", "0", ""}


def list_images(compose: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the images of all services, each once, in order."""
    services = compose["services"].values()
    return tuple(dict.fromkeys(str(service["image"]) for service in services if "image" in service))


def list_host_needs(compose: Mapping[str, Any]) -> list[HostNeed]:
    """Return everything the definition asks of its host beyond being run."""
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
"""Docker's own, and those that an unprivileged container has over nothing but itself."""


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
    if not mode.startswith(("bridge", "none", "service:", "default")):
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
    """Return what a mount asks of its host, or None: relative paths and named volumes are the app's own."""
    if mount.kind == "bind":
        if mount.source.rstrip("/") in _DOCKER_SOCKETS:
            return "docker_socket"
        return None if is_own_path(mount.source) else "host_paths"
    if mount.kind == "volume":
        return None if re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*|", mount.source) else "host_paths"
    return None if mount.kind == "tmpfs" else "files"


def is_own_path(source: str) -> bool:
    """Say whether a path stays within the folder of the app's own definition."""
    return source.startswith("./") and ".." not in source.split("/") and "$" not in source
