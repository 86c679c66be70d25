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
from services.catalog.domain.importers.attachments import Attachments, read_environment
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, take_list, take_mapping
from services.catalog.domain.importers.secret_replacement import replace_hard_coded_secrets
from services.catalog.domain.importers.hosts import list_aliases, name_addresses, replace_addresses
from services.catalog.domain.importers.mounts import Mounts, is_graphics, note_graphics, resolve_text
from services.catalog.domain.importers.parts import join_parts
from services.catalog.domain.importers.volume_setup import prepare_volumes
from services.catalog.domain.importers.variables import VARIABLE, substitute_variables
from services.catalog.domain.item import render_scalar

_DROPPED_KEYS = frozenset(
    {"networks", "volumes", "ports", "configs", "secrets", "env_file", "environment",  # read on their own
     "labels", "container_name", "logging", "links", "external_links", "annotations", "profiles", "pull_policy", "deploy",
     "platform", "mac_address", "stop_grace_period", "scale", "cpu_shares", "mem_limit", "mem_reservation",
     "memswap_limit", "cpus", "oom_score_adj", "expose", "domainname", "isolation", "extra_hosts", "dns"}
)  # fmt: skip
_HARMLESS_OPTIONS = ("no-new-privileges", "seccomp", "apparmor")


def clean_definition(draft: Draft) -> dict[str, Any]:
    """Return the definition of a draft in our form, adding to its inputs and notes.

    Raises:
        RefusedEntryError: it cannot run in a container of its own.
    """
    joined = join_parts(draft)
    names = name_addresses(take_mapping(joined.get("services")), draft.known)
    draft.known = {**draft.known, **names}
    tree = take_mapping(replace_addresses(substitute_variables(joined, draft.known), names))
    services = take_mapping(tree.get("services"))
    if not services:
        raise RefusedEntryError("has no services")
    attachments = Attachments(draft)
    mounts = Mounts(draft, attachments)
    cleaned: dict[str, Any] = {}
    for name, service in services.items():
        if not isinstance(service, dict):
            raise RefusedEntryError(f"the service {name} is not a mapping")
        cleaned[name] = _clean_service(draft, service, services)
        _clean_mounts(service, tree, cleaned[name], mounts=mounts, attachments=attachments)
    _keep_aliases(services, cleaned)
    prepare_volumes(cleaned, mounts.first)
    replace_hard_coded_secrets(draft, cleaned, attachments.configs)
    definition: dict[str, Any] = {"services": cleaned}
    if mounts.names:
        definition["volumes"] = dict.fromkeys(sorted(mounts.names))
    if attachments.configs:
        attachments.configs = replace_addresses(attachments.configs, names)
        definition["configs"] = attachments.configs
    return definition


def _clean_service(draft: Draft, service: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, Any]:
    result = {
        key: value for key, value in service.items() if key not in _DROPPED_KEYS and not key.startswith("x-")
    }
    result = {key: value for key, value in result.items() if value is not None}
    _read_memory(draft, service)
    if "image" in result:
        if result.pop("build", None):
            draft.notes.append(f"The image {str(result['image'])[:200]} is fetched, not built.")
        result["image"] = resolve_text(result["image"], draft).strip().removesuffix(":")
    for key in ("command", "entrypoint"):
        if isinstance(result.get(key), list):
            result[key] = [render_scalar(word) for word in result[key]]
    _clean_networks(result)
    _clean_depends(result, services)
    if environment := read_environment(draft, service):
        result["environment"] = environment
    options = [str(option) for option in take_list(result.pop("security_opt", None))]
    kept = [option for option in options if not option.startswith(_HARMLESS_OPTIONS[1:])]
    if kept:
        result["security_opt"] = kept
    _drop_graphics(draft, result)
    ports = [port for entry in take_list(service.get("ports")) for port in _clean_port(draft, entry)]
    if ports:
        result["ports"] = ports
    return result


def _clean_mounts(
    service: Mapping[str, Any],
    tree: Mapping[str, Any],
    result: dict[str, Any],
    *,
    mounts: Mounts,
    attachments: Attachments,
) -> None:
    volumes, files = mounts.clean_mounts(service.get("volumes"))
    files += attachments.read_references(service, tree)
    if volumes:
        result["volumes"] = volumes
    if files:
        result["configs"] = files
        result.pop("read_only", None)  # Compose copies a config into the container, which it then could not


def _keep_aliases(services: Mapping[str, Any], cleaned: Mapping[str, Any]) -> None:
    """Let services be reached by the names that they had, where there is more than one."""
    for name, aliases in list_aliases(services).items() if len(services) > 1 else ():
        if aliases and not cleaned[name].get("network_mode"):
            cleaned[name]["networks"] = {"default": {"aliases": aliases}}


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
    mode = str(service.get("network_mode", ""))
    if mode in {"bridge", "default", ""} or mode.startswith("${"):
        service.pop("network_mode", None)


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
    kept = [device for device in devices if not is_graphics(device)]
    if len(kept) < len(devices):
        note_graphics(draft)
    if kept:
        service["devices"] = kept
    if str(service.get("runtime", "")) == "nvidia":
        service.pop("runtime")


def _clean_port(draft: Draft, entry: Value) -> list[str]:
    given = entry
    try:
        if isinstance(entry, dict):
            long = {key: resolve_text(value, draft) for key, value in entry.items() if value is not None}
            ports = compose.parse_ports([long])
        else:
            text = resolve_text(entry, draft)
            ports = compose.parse_ports([text.removeprefix(":") if text.count(":") > 1 else text])
    except compose.InvalidComposeError as error:
        unset = ", ".join(sorted({match[1] or match[2] for match in VARIABLE.finditer(str(given))}))
        reason = f"a port is given by {unset}, which nothing sets" if unset else str(error)
        raise RefusedEntryError(reason) from None
    return [f"{port.published or port.target}:{port.target}/{port.protocol}" for port in ports]
