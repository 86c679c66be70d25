"""Brings a foreign compose definition into a form that runs in a container of its own.

Networks, labels and names that belong to the other system go; folders of its host
become volumes of the app; hard-coded secrets become generated inputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain import compose
from services.catalog.domain.document import Value
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, make_id, take_list, take_mapping
from services.catalog.domain.importers.hard_coded import replace_hard_coded_secrets
from services.catalog.domain.interpolation import InterpolationError, interpolate_text, map_texts
from services.catalog.domain.item import render_scalar

_VARIABLE = re.compile(
    r"(?<!\$)\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-?][^{}$]*)?\}|([A-Za-z_][A-Za-z0-9_]*))"
)
_DROPPED_KEYS = frozenset(
    {"labels", "container_name", "logging", "links", "external_links", "annotations", "profiles", "pull_policy",
     "deploy", "platform", "mac_address", "stop_grace_period", "scale", "cpu_shares", "mem_limit", "mem_reservation",
     "memswap_limit", "cpus", "oom_score_adj", "expose", "domainname", "isolation", "extra_hosts", "dns"}
)  # fmt: skip
_CLOCK_FILES = frozenset({"/etc/localtime", "/etc/timezone"})
_SYSTEM_FOLDERS = frozenset(
    {
        "",
        "etc",
        "proc",
        "sys",
        "dev",
        "run",
        "boot",
        "lib",
        "lib64",
        "usr",
        "bin",
        "sbin",
        "root",
        "tmp",
        "var",
    }
)
_HARMLESS_OPTIONS = ("no-new-privileges", "seccomp", "apparmor")


def clean_definition(draft: Draft) -> dict[str, Any]:
    """Return the definition of a draft in our form, adding to its inputs and notes.

    Raises:
        RefusedEntryError: it cannot run in a container of its own.
    """
    tree = substitute_variables(draft.compose, draft.known)
    services = take_mapping(take_mapping(tree).get("services"))
    if not services:
        raise RefusedEntryError("has no services")
    if take_mapping(tree).get("include"):
        raise RefusedEntryError("includes other files")
    volumes = _Volumes(draft)
    cleaned: dict[str, Any] = {}
    for name, service in services.items():
        if not isinstance(service, dict):
            raise RefusedEntryError(f"the service {name} is not a mapping")
        cleaned[name] = _clean_service(draft, volumes, service, services)
    replace_hard_coded_secrets(draft, cleaned)
    definition: dict[str, Any] = {"services": cleaned}
    if volumes.names:
        definition["volumes"] = dict.fromkeys(sorted(volumes.names))
    return definition


def substitute_variables(tree: Value, known: Mapping[str, str]) -> Value:
    """Replace the variables whose value is known, whatever their defaults; leave all others."""

    def change(text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            return known.get(match[1] or match[2], match[0])

        return _VARIABLE.sub(replace, text) if "$" in text else text

    return map_texts(tree, change)


def _clean_service(
    draft: Draft, volumes: _Volumes, service: Mapping[str, Any], services: Mapping[str, Any]
) -> dict[str, Any]:
    result = {
        key: value for key, value in service.items() if key not in _DROPPED_KEYS and not key.startswith("x-")
    }
    result = {key: value for key, value in result.items() if value is not None}
    _read_memory(draft, service)
    if "image" in result:
        result["image"] = resolve_text(result["image"])
    for key in ("command", "entrypoint"):
        if isinstance(result.get(key), list):
            result[key] = [render_scalar(word) for word in result[key]]
    _clean_networks(result)
    _clean_depends(result, services)
    if "environment" in result:
        pairs = compose.read_pairs(result["environment"])
        result["environment"] = {key: value for key, value in pairs.items() if value is not None}
    options = [str(option) for option in take_list(result.pop("security_opt", None))]
    kept = [option for option in options if not option.startswith(_HARMLESS_OPTIONS[1:])]
    if kept:
        result["security_opt"] = kept
    _drop_graphics(draft, result)
    ports = [port for entry in take_list(result.pop("ports", None)) for port in _clean_port(entry)]
    if ports:
        result["ports"] = ports
    mounts = [
        mount for entry in take_list(result.pop("volumes", None)) if (mount := volumes.clean_mount(entry))
    ]
    if mounts:
        result["volumes"] = mounts
    return result


def resolve_text(value: Value) -> str:
    """Put the defaults of the remaining variables in.

    Raises:
        RefusedEntryError: a variable is required or written wrongly.
    """
    try:
        return interpolate_text(str(value), {})
    except InterpolationError as error:
        raise RefusedEntryError(str(error)) from None


def _read_memory(draft: Draft, service: Mapping[str, Any]) -> None:
    reservations = take_mapping(
        take_mapping(take_mapping(service.get("deploy")).get("resources")).get("reservations")
    )
    if reservations.get("devices"):
        draft.notes.append("Made to use a graphics card, which this container does not get.")
    match = re.fullmatch(
        r"([0-9]{1,8})(?:\.[0-9]+)?\s*([KMG])?i?B?", str(reservations.get("memory", "")), re.IGNORECASE
    )
    if match:
        factor = {"K": 1 / 1024, "M": 1, "G": 1024}.get((match[2] or "").upper(), 1 / 1_048_576)
        draft.memory += round(int(match[1]) * factor)


def _clean_networks(service: dict[str, Any]) -> None:
    networks = service.pop("networks", None)
    mode = str(service.get("network_mode", ""))
    if mode in {"bridge", "default"} or mode.startswith("${"):
        service.pop("network_mode")
    aliases = [
        alias
        for network in (networks.values() if isinstance(networks, dict) else ())
        for alias in take_list(take_mapping(network).get("aliases"))
    ]
    if aliases and "network_mode" not in service:
        service["networks"] = {"default": {"aliases": aliases}}


def _clean_depends(service: dict[str, Any], services: Mapping[str, Any]) -> None:
    depends = service.pop("depends_on", None)
    if isinstance(depends, dict):
        kept: Any = {name: value for name, value in depends.items() if name in services}
    else:
        kept = [name for name in take_list(depends) if name in services]
    if kept:
        service["depends_on"] = kept


def _drop_graphics(draft: Draft, service: dict[str, Any]) -> None:
    """Drop devices that only make things faster; others stay, for the linter to refuse."""
    devices = take_list(service.pop("devices", None))
    optional = ("/dev/dri", "/dev/vcsm", "/dev/vchiq", "/dev/video", "/dev/nvidia", "/dev/kfd")
    kept = [device for device in devices if not str(device).startswith(optional)]
    if len(kept) < len(devices):
        draft.notes.append("Made to use a graphics card for speed, which this container does not get.")
    if kept:
        service["devices"] = kept
    if str(service.get("runtime", "")) == "nvidia":
        service.pop("runtime")


def _clean_port(entry: Value) -> list[str]:
    given = entry
    try:
        if isinstance(entry, dict):
            entry = {key: resolve_text(value) for key, value in entry.items() if value is not None}
            ports = compose.parse_ports([entry])
        else:
            ports = compose.parse_ports([resolve_text(entry)])
    except compose.InvalidComposeError as error:
        unset = ", ".join(sorted({match[1] or match[2] for match in _VARIABLE.finditer(str(given))}))
        reason = f"a port is given by {unset}, which nothing sets" if unset else str(error)
        raise RefusedEntryError(reason) from None
    return [f"{port.published or port.target}:{port.target}/{port.protocol}" for port in ports]


class _Volumes:
    """Gives every folder that a definition mounts a volume of the app's own."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._by_source: dict[str, str] = {}
        self.names: set[str] = set()

    def clean_mount(self, entry: Value) -> str | None:
        """Return a mount of a volume, or None where the mount is not needed.

        Raises:
            RefusedEntryError: it mounts the system, a file of the collection, or Docker itself.
        """
        mount = self._read_mount(entry)
        if mount is None or mount.source in _CLOCK_FILES or mount.target in _CLOCK_FILES:
            return None
        suffix = ":ro" if mount.read_only else ""
        if not mount.source:
            return f"{self._name_volume(mount.target, mount.target)}:{mount.target}{suffix}"
        if mount.kind == "volume" and "/" not in mount.source and "$" not in mount.source:
            return f"{self._name_volume(mount.source, mount.source)}:{mount.target}{suffix}"
        return f"{self._name_volume(mount.source, self._check_folder(mount.source))}:{mount.target}{suffix}"

    def _read_mount(self, entry: Value) -> compose.Mount | None:
        try:
            (mount,) = compose.parse_mounts([entry])
        except compose.InvalidComposeError as error:
            raise RefusedEntryError(str(error)) from None
        if mount.kind == "tmpfs":
            return None
        own = (*self._draft.own_folders, *self._draft.shared_folders)
        source = mount.source if mount.source.startswith(own) and own else resolve_text(mount.source)
        return compose.Mount(mount.kind, source, resolve_text(mount.target), mount.read_only)

    def _check_folder(self, source: str) -> str:
        """Return the name-giving part of a folder on the other system's host."""
        for prefix in self._draft.own_folders:
            if source.startswith(prefix):
                return self._check_file(source.removeprefix(prefix)) or "data"
        for prefix in self._draft.shared_folders:
            if source.startswith(prefix):
                self._note(source)
                return source.removeprefix(prefix) or "shared"
        if source.startswith("./") or not source.startswith(("/", "~", ".")):
            return self._check_file(source.removeprefix("./"))
        if compose.find_mount_need(compose.Mount("bind", source, "", read_only=False)) == "docker_socket":
            raise RefusedEntryError("mounts the Docker socket, which would give it the whole container host")
        first = source.split("/")[1] if source.startswith("/") else ""
        if ".." in source.split("/") or first in _SYSTEM_FOLDERS:
            raise RefusedEntryError(f"mounts {source} of its host")
        self._note(source)
        return source

    def _check_file(self, path: str) -> str:
        if ".." in path.split("/"):
            raise RefusedEntryError(f"mounts {path}, outside its own folder")
        if path.strip("/") in self._draft.files:
            raise RefusedEntryError(f"needs the file {path.strip('/')} of its collection")
        return path

    def _note(self, source: str) -> None:
        text = f"{source[:200]} of the host is an empty volume of the app here."
        if text not in self._draft.notes:
            self._draft.notes.append(text)

    def _name_volume(self, source: str, path: str) -> str:
        if source in self._by_source:
            return self._by_source[source]
        parts = [part for part in (make_id(part) for part in path.split("/")) if part]
        base = "-".join(parts[-2:])[:60].strip("-") or "data"
        name, number = base, 2
        while name in self.names:
            name, number = f"{base}-{number}", number + 1
        self.names.add(name)
        self._by_source[source] = name
        return name
