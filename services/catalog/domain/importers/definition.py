"""Conversion of a foreign compose definition into one that runs in a container of its own.

Networks, labels and names that belong to the other system go; folders of its host
become volumes of the app; hard-coded secrets become generated inputs.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.attachments import Attachments
from services.catalog.domain.importers.dependencies import check_dependencies, clean_dependencies
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, take_list, take_mapping
from services.catalog.domain.importers.environment import read_environment
from services.catalog.domain.importers.hosts import list_aliases, name_addresses, replace_addresses
from services.catalog.domain.importers.mounts import Mounts, resolve_text
from services.catalog.domain.importers.own_address import replace_own_address
from services.catalog.domain.importers.page_hints import find_page_hint
from services.catalog.domain.importers.parts import join_parts
from services.catalog.domain.importers.secrets.secret_replacement import replace_hard_coded_secrets
from services.catalog.domain.importers.service_settings import clean_settings
from services.catalog.domain.importers.variables import VARIABLE, substitute_variables
from services.catalog.domain.importers.volume_setup import prepare_volumes
from services.catalog.domain.item import render_scalar
from services.catalog.domain.item_files.document import Value
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import OPTIONAL_DEVICES
from services.catalog.domain.renderer.interpolation import escape_stray_dollars, map_texts, rewrite_variables

_INSIDE = "/app-data"
"""Value of a variable for the app's own folder inside a container, where the path must be absolute; outside it is `.`."""


def clean_definition(draft: Draft) -> dict[str, Any]:
    """Return the definition of a draft in our form, adding to its inputs, notes and reasons for refusing it.

    Raises:
        RefusedEntryError: there is nothing to run in it.
    """
    joined = join_parts(draft)
    names = name_addresses(take_mapping(joined.get("services")), draft.known)
    draft.known = {**draft.known, **names}
    joined = {**joined, "services": _write_inside_paths(draft, take_mapping(joined.get("services")))}
    tree = take_mapping(replace_addresses(substitute_variables(joined, draft.known), names))
    services = take_mapping(tree.get("services"))
    if not services:
        raise RefusedEntryError("has no services")
    attachments = Attachments(draft)
    mounts = Mounts(draft, attachments, declared=take_mapping(tree.get("volumes")))
    cleaned: dict[str, Any] = {}
    for name, service in services.items():
        if not isinstance(service, dict):
            raise RefusedEntryError(f"the service {name} is not a mapping")
        cleaned[name] = _clean_service(draft, name, service=service, services=services)
        _clean_mounts(service, tree, result=cleaned[name], mounts=mounts, attachments=attachments)
    # The order matters: secrets are replaced last, when all texts that contain them are in the definition.
    check_dependencies(draft, cleaned)
    _add_aliases(services, cleaned)
    prepare_volumes(cleaned, mounts.first)
    replace_hard_coded_secrets(draft, cleaned, configs=attachments.configs)
    definition: dict[str, Any] = {"services": cleaned}
    if mounts.names:
        definition["volumes"] = dict.fromkeys(sorted(mounts.names))
    if attachments.configs:
        attachments.configs = replace_addresses(attachments.configs, names)
        definition["configs"] = attachments.configs
    definition = replace_own_address(draft, definition)
    escaped: dict[str, Any] = map_texts(definition, escape_stray_dollars)
    return escaped


def _write_inside_paths(draft: Draft, services: Mapping[str, Any]) -> dict[str, Any]:
    """Write paths of the app's own folder as absolute ones where a container reads them."""
    inside = {name: _INSIDE for name, value in draft.known.items() if value == "."}
    if not inside:
        return dict(services)

    def write_target(entry: Value) -> Value:
        if isinstance(entry, dict):
            return (
                {**entry, "target": substitute_variables(entry.get("target"), inside)}
                if "target" in entry
                else entry
            )
        source, *rest = compose.split_mount(str(entry))
        return ":".join([source, *(substitute_variables(part, inside) for part in rest)])

    written: dict[str, Any] = {}
    for name, service in services.items():
        written[name] = service
        if isinstance(service, dict):
            texts = {key: service[key] for key in _READ_INSIDE & service.keys()}
            written[name] = {**service, **substitute_variables(texts, inside)}
            if isinstance(volumes := service.get("volumes"), list):
                written[name]["volumes"] = [write_target(entry) for entry in volumes]
    return written


# Settings whose paths a process inside the container reads; those of mounts are read outside.
_READ_INSIDE = frozenset({"environment", "command", "entrypoint", "healthcheck", "working_dir", "tmpfs"})


def _clean_service(
    draft: Draft, name: str, *, service: Mapping[str, Any], services: Mapping[str, Any]
) -> dict[str, Any]:
    result = clean_settings(draft, name, service=service)
    if "image" in result:
        if result.pop("build", None):
            draft.note(f"The image {str(result['image'])[:200]} is fetched, not built.")
        result["image"] = _read_image(draft, str(result["image"]))
    for key in ("command", "entrypoint"):
        if isinstance(result.get(key), str):
            _check_words(draft, name, key=key, text=result[key])
        if isinstance(result.get(key), list):
            result[key] = [render_scalar(word) for word in result[key] if word is not None]
    if depends := service.get("depends_on"):
        result["depends_on"] = depends
        clean_dependencies(result, services)
    if environment := read_environment(draft, service):
        result["environment"] = environment
    hint = find_page_hint(draft, service)
    ports = [
        port for entry in take_list(service.get("ports")) for port in _clean_port(draft, name, entry=entry)
    ]
    if result.get("network_mode") == "host":
        hint = hint or next((port.target for port in compose.parse_ports(ports) if port.protocol == "tcp"), 0)
    elif ports:
        result["ports"] = ports
    if hint:
        draft.page_hints[name] = hint
    return result


def _check_words(draft: Draft, name: str, *, key: str, text: str) -> None:
    """Refuse a command that Compose cannot split into words."""
    try:
        shlex.split(text)
    except ValueError as error:
        draft.refuse(f"the {key} of {name} is none that Compose reads: {str(error).lower()}")


def _read_image(draft: Draft, text: str) -> str:
    """Return an image in which the variables of its tag stay, one without a default being required."""
    declared = {record["name"]: record for record in draft.inputs}
    name, colon, tag = text.strip().partition(":${") if ":${" in text else (text.strip(), "", "")
    if not colon:
        return resolve_text(name, draft).strip().removesuffix(":")

    def require(variable: Any) -> str:
        record = declared.get(variable.name)
        if variable.operator in {":-", "-"} and variable.alternative:
            return str(variable.text)
        if record is not None and record.get("default"):
            return f"${{{variable.name}}}"
        return f"${{{variable.name}:?names the image's tag}}"

    return f"{resolve_text(name, draft)}:{rewrite_variables('${' + tag, require)}"


def _clean_mounts(
    service: Mapping[str, Any],
    tree: Mapping[str, Any],
    *,
    result: dict[str, Any],
    mounts: Mounts,
    attachments: Attachments,
) -> None:
    volumes, files = mounts.clean_mounts(service.get("volumes"))
    if added := [
        one for one in mounts.devices if not any(one in str(known) for known in result.get("devices", ()))
    ]:
        result["devices"] = [*result.get("devices", ()), *added]
    if mounts.optional_devices:
        result[OPTIONAL_DEVICES] = [*result.get(OPTIONAL_DEVICES, ()), *mounts.optional_devices]
    files += attachments.read_references(service, tree)
    if volumes:
        result["volumes"] = volumes
    if files:
        result["configs"] = files
        result.pop("read_only", None)  # Compose copies a config into the container, which it then could not


def _add_aliases(services: Mapping[str, Any], cleaned: Mapping[str, Any]) -> None:
    """Add the former names of services as aliases, where there is more than one service."""
    for name, aliases in list_aliases(services).items() if len(services) > 1 else ():
        if aliases and not cleaned[name].get("network_mode"):
            cleaned[name]["networks"] = {"default": {"aliases": aliases}}


def _clean_port(draft: Draft, service: str, *, entry: Value) -> list[str]:
    try:
        if isinstance(entry, dict):
            long = {key: resolve_text(value, draft) for key, value in entry.items() if value is not None}
            ports = compose.parse_ports([long])
        else:
            text = resolve_text(entry, draft)
            ports = compose.parse_ports(
                [text.removeprefix(":") if text.count(":") > 1 and "[" not in text else text]
            )
    except compose.InvalidComposeError as error:
        unset = ", ".join(sorted({match[1] or match[2] for match in VARIABLE.finditer(str(entry))}))
        draft.refuse(f"a port is given by {unset}, which nothing sets" if unset else str(error))
        return []
    for port in ports:
        if port.is_loopback:
            draft.note(
                f"Port {port.target} of {service} is open to the app's own container only, as its collection has it ({port.host_ip})."
            )
    return [text for port in ports if (text := _write_port(port))]


def _write_port(port: compose.PublishedPort) -> str:
    if not port.is_loopback:
        return (
            f"{port.published}:{port.target}/{port.protocol}"
            if port.published
            else f"{port.target}/{port.protocol}"
        )
    ip = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    return f"{ip}:{port.published}:{port.target}/{port.protocol}" if port.published else ""
