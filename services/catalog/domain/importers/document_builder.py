"""Construction of a document in our format from a draft."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.images import find_image
from services.catalog.domain.importers.categories import name_category
from services.catalog.domain.importers.definition import clean_definition
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, make_id, take_text
from services.catalog.domain.importers.main_service import find_main_service
from services.catalog.domain.importers.plain_text import strip_markup
from services.catalog.domain.importers.ports import build_probe, list_ports, open_main_port
from services.catalog.domain.importers.resources import build_resources
from services.catalog.domain.importers.secrets.secret_forms import choose_form, fit_forms
from services.catalog.domain.importers.secrets.secret_usage import is_given_out
from services.catalog.domain.importers.volume_setup import PREPARER
from services.catalog.domain.item import build_input, resolve_image
from services.catalog.domain.item_files.parser import BUILT_IN_VARIABLES
from services.catalog.domain.names import is_secret_name
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import is_obtainable, list_host_needs
from services.catalog.domain.renderer.interpolation import (
    InterpolationError,
    list_required_variables,
    list_texts,
    list_variables,
)

# Names of architectures in collections, by the names that Proxmox has.
_ARCHITECTURES = {
    "amd64": "amd64", "x86_64": "amd64", "x86-64": "amd64", "arm64": "arm64", "aarch64": "arm64", "arm": "arm",
    "armv7": "arm", "armhf": "arm", "arm/v7": "arm", "386": "386",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f]")  # Proxmox stores the environment of an OCI container as lines


def build_document(draft: Draft) -> dict[str, Any]:
    """Return a draft as a document in our format, still to be linted.

    Raises:
        RefusedEntryError: it cannot run in a container of its own.
    """
    definition = clean_definition(draft)
    services = definition["services"]
    open_main_port(draft, services)
    ports = list_ports(draft, services)
    inputs = _list_inputs(draft, definition)
    for record in inputs:
        record |= {key: text for key in ("label", "help") if (text := strip_markup(record.get(key, "")))}
    fit_forms(inputs, services)
    image = _find_main_image(draft, services, inputs=inputs)
    if not ports:
        # Further variables of a deployment go to the first service where none has a page.
        main = find_main_service(draft, services)
        definition["services"] = {main: services[main], **services}
    website = _take_url(draft.website) or _name_page(image)
    document: dict[str, Any] = {
        "id": make_id(draft.id) or make_id(draft.name),
        "name": take_text(draft.name, 80) or draft.id,
        "version": take_text(draft.version, 60) or _read_version(image),
        "description": strip_markup(take_text(draft.description)) or take_text(draft.name, 80) or draft.id,
        "category": name_category(draft.category),
        "tags": _list_tags(draft),
        "author": take_text(draft.author, 120) or "Unknown",
        "website": website,
        "documentation": _take_url(draft.documentation) or website,
        "license": "Unknown",
        "architectures": _list_architectures(draft),
        "runtimes": ["compose", "oci"] if _fits_oci(services, inputs) else ["compose"],
        "resources": build_resources(draft, services=len(services.keys() - {PREPARER})),
        "ports": ports,
        "volumes": _list_volumes(services),
        "inputs": inputs,
        "probe": build_probe(draft, ports),
        "notes": [note[:1000] for note in dict.fromkeys(map(strip_markup, draft.notes)) if note][:50],
        "compose": definition,
    }
    needs = list_host_needs(definition)
    if needs and all(is_obtainable(need, definition) for need in needs):
        document["allows"] = sorted({need.need for need in needs})
        reasons = ", ".join(need.reason for need in needs)[:500]
        document["notes"].append(
            f"Needs more than a container has ({reasons}): an administrator allows it with CATALOG_HOST_NEEDS."
        )
    return document | _list_optional_fields(draft)


def _list_optional_fields(draft: Draft) -> dict[str, Any]:
    """Return the fields that the format may lack, as far as the draft has usable values for them."""
    is_icon = draft.icon.startswith(("https://", "files/")) and len(draft.icon) <= 200
    screenshots = [shot for shot in draft.screenshots if shot.startswith("files/") or _take_url(shot)]
    fields: dict[str, Any] = {
        "icon": draft.icon if is_icon and not re.search(r"\s", draft.icon) else "",
        "source_code": _take_url(draft.source_code),
        "screenshots": screenshots[:10],
        "release_notes": strip_markup(take_text(draft.release_notes)),
        "credentials": _build_credentials(draft) if draft.username or draft.password else None,
    }
    return {name: value for name, value in fields.items() if value}


def _list_volumes(services: Mapping[str, Any]) -> list[dict[str, Any]]:
    volumes = []
    for name, service in services.items():
        for mount in compose.parse_mounts(service.get("volumes")):
            words = {*mount.source.split("-"), *mount.target.lower().split("/")}
            purpose, backup = "data", True
            if words & {"cache", "tmp", "temp", "transcode", "transcodes"}:
                purpose, backup = "cache", False
            elif words & {"media", "movies", "tv", "music", "downloads", "photos", "books"}:
                purpose, backup = "media", False
            elif words & {"db", "mysql", "postgresql", "postgres", "database", "mongo"}:
                purpose = "database"
            elif words & {"config", "configs", "etc"}:
                purpose = "config"
            volumes.append(
                {
                    "service": name,
                    "name": mount.source,
                    "path": mount.target,
                    "purpose": purpose,
                    "backup": backup,
                }
            )
    return volumes


def _list_inputs(draft: Draft, definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs that the definition uses, with one for every variable that the collection does not declare."""
    try:
        used = list_variables(dict(definition)) | compose.list_passed_variables(definition)
        required = list_required_variables(dict(definition))
    except InterpolationError as error:
        raise RefusedEntryError(str(error)) from None
    declared = {record["name"]: record for record in draft.inputs}
    inputs = [
        {**record, "required": True}
        if name in required and not record.get("default") and "generate" not in record
        else record
        for name, record in declared.items()
        if name in used
    ]
    for name in sorted(used - declared.keys() - BUILT_IN_VARIABLES):
        record: dict[str, Any] = {"name": name, "label": name.replace("_", " ").strip().capitalize() or name}
        if text := draft.helps.get(name):
            record["help"] = text
        if is_given_out(name):
            inputs.append({**record, "type": "password", **({"required": True} if name in required else {})})
        elif is_secret_name(name):
            inputs.append(
                {**record, "type": "password", "generate": choose_form(name, description=text or "")}
            )
        else:
            inputs.append({**record, "type": "text", **({"required": True} if name in required else {})})
    return inputs


def _fits_oci(services: Mapping[str, Any], inputs: list[dict[str, Any]]) -> bool:
    if len(services) != 1:
        return False
    (service,) = services.values()
    secrets = {i["name"] for i in inputs if i.get("secret", i["type"] == "password")}
    words = list_variables([service.get("command"), service.get("entrypoint")])
    simple = service.keys() <= {
        "image", "environment", "ports", "volumes", "restart", "command", "entrypoint", "user", "hostname", "tty",
        "stdin_open", "init", "healthcheck", "working_dir",
    }  # fmt: skip
    texts = [*list_texts(service), *(str(record.get("default", "")) for record in inputs)]
    return simple and not secrets & words and not any(map(_CONTROL.search, texts))


def _find_main_image(draft: Draft, services: Mapping[str, Any], *, inputs: list[dict[str, Any]]) -> str:
    image = str(services[find_main_service(draft, services)].get("image", ""))
    return resolve_image(image, map(build_input, inputs))


def _read_version(image: str) -> str:
    parts = find_image(image)
    return (parts.tag[:60] if parts else "") or "latest"


def _name_page(image: str) -> str:
    """Return the page of an image at its registry, when the collection names no website."""
    parts = find_image(image)
    name = parts.name if parts else ""
    first = name.partition("/")[0]
    if "." in first or ":" in first:
        return f"https://{name}"
    return (
        f"https://hub.docker.com/r/{name}" if "/" in name else f"https://hub.docker.com/_/{name or 'scratch'}"
    )


def _take_url(value: object) -> str:
    text = take_text(str(value or ""), 500)
    return text if re.fullmatch(r"https?://[^\s]+", text) else ""


def _list_tags(draft: Draft) -> list[str]:
    words = [re.sub(r"[^a-z0-9 .+-]+", " ", str(tag).lower()).strip(" .+-") for tag in draft.tags]
    return [word[:40].strip(" .+-") for word in dict.fromkeys(words) if word][:20]


def _list_architectures(draft: Draft) -> list[str]:
    found = [_ARCHITECTURES.get(str(name).lower()) for name in draft.architectures]
    return list(dict.fromkeys(name for name in found if name))


def _build_credentials(draft: Draft) -> dict[str, str]:
    record = {"username": take_text(draft.username, 200), "password": take_text(draft.password, 200)}
    change = "After the first sign-in, in the app itself."
    return {**{key: text for key, text in record.items() if text}, "change": change}
