"""Settings of a service: those that are carried over, and notes on those that are left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.draft import Draft, take_list, take_mapping
from services.catalog.domain.importers.mounts import (
    is_graphics,
    note_graphics,
    note_kernel_modules,
    resolve_text,
)
from services.catalog.domain.renderer.host_needs import OPTIONAL_DEVICES, is_obtainable_device

# Settings that other modules of this package convert.
READ_ELSEWHERE = frozenset(
    {"networks", "volumes", "ports", "configs", "secrets", "env_file", "environment", "depends_on", "expose"}
)
# Settings with a meaning for the other system or its host only; an app works without them here.
_OF_THE_OTHER_SYSTEM = frozenset(
    {"labels", "container_name", "logging", "links", "external_links", "annotations", "profiles", "pull_policy", "attach",
     "isolation"}
)  # fmt: skip
# Limits that the platform sets for the whole container instead.
_NOTED = {
    "mem_limit": "a limit of memory", "mem_reservation": "a reservation of memory", "memswap_limit": "a limit of swap",
    "cpus": "a limit of processors", "cpu_shares": "a share of processors", "cpuset": "a choice of processors",
    "cpu_quota": "a limit of processors", "oom_score_adj": "an adjustment for when memory runs out",
}  # fmt: skip
# Options that loosen Docker's confinement, which is not what protects the host here: the container is unprivileged.
_HARMLESS_OPTIONS = ("seccomp", "apparmor", "label")


def clean_settings(draft: Draft, name: str, *, service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a service that mean the same in a container of its own; note what is left out."""
    left_out = READ_ELSEWHERE | _OF_THE_OTHER_SYSTEM | _NOTED.keys() | {"deploy", "scale"}
    result = {
        key: value
        for key, value in service.items()
        if key not in left_out and not key.startswith("x-") and value is not None
    }
    for text in dict.fromkeys(text for key, text in _NOTED.items() if service.get(key) is not None):
        draft.note(f"{name} has {text} there; here the limits of the app's container count.")
    _read_deploy(draft, name, service=service)
    options = [str(option) for option in take_list(result.pop("security_opt", None))]
    if left := [option for option in options if not option.startswith(_HARMLESS_OPTIONS)]:
        result["security_opt"] = left
    _clean_network_mode(result)
    _drop_graphics(draft, result)
    _drop_kernel_modules(draft, result)
    return result


def _read_deploy(draft: Draft, name: str, *, service: Mapping[str, Any]) -> None:
    deploy = take_mapping(service.get("deploy"))
    resources = take_mapping(deploy.get("resources"))
    reservations = take_mapping(resources.get("reservations"))
    if reservations.get("devices"):
        note_graphics(draft)
    if take_mapping(resources.get("limits")):
        draft.note(f"{name} has limits of its resources there; here those of the app's container count.")
    count = resolve_text(deploy.get("replicas", service.get("scale", 1)), draft)
    if count not in {"1", "None"}:
        draft.note(f"{name} runs {count[:20]} times there; here it runs once.")
    draft.memory += _read_megabytes(reservations.get("memory"))


def _read_megabytes(value: object) -> int:
    match = re.fullmatch(r"([0-9]{1,8})(?:\.[0-9]+)?\s*([KMG])?i?B?", str(value or ""), re.IGNORECASE)
    if match is None:
        return 0
    return round(
        int(match[1]) * {"K": 1 / 1024, "M": 1, "G": 1024}.get((match[2] or "").upper(), 1 / 1_048_576)
    )


def _clean_network_mode(service: dict[str, Any]) -> None:
    mode = str(service.get("network_mode", ""))
    if mode in {"bridge", "default", ""} or mode.startswith("${"):
        service.pop("network_mode", None)


def _drop_graphics(draft: Draft, service: dict[str, Any]) -> None:
    """Make devices that only make things faster optional, where containers can have them; others stay."""
    devices = take_list(service.pop("devices", None))
    left = [device for device in devices if not is_graphics(device)]
    optional = [device for device in devices if is_graphics(device) and is_obtainable_device(device)]
    if len(left) < len(devices):
        note_graphics(draft, is_optional=bool(optional))
    if left:
        service["devices"] = left
    if optional:
        service[OPTIONAL_DEVICES] = optional
    if str(service.get("runtime", "")) == "nvidia":
        service.pop("runtime")


def _drop_kernel_modules(draft: Draft, service: dict[str, Any]) -> None:
    """Drop the capability to load kernel modules: a container uses those that its node has loaded."""
    capabilities = [str(capability) for capability in take_list(service.get("cap_add"))]
    left = [one for one in capabilities if one.upper().removeprefix("CAP_") != "SYS_MODULE"]
    if len(left) < len(capabilities):
        note_kernel_modules(draft)
        service["cap_add"] = left
        if not left:
            del service["cap_add"]
