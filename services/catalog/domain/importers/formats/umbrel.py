"""Umbrel app stores: a folder per app with umbrel-app.yml and a compose file; their `app_proxy` service is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

from services.catalog.domain.importers.draft import (
    Draft,
    Entry,
    RefusedEntryError,
    make_id,
    take_list,
    take_mapping,
    take_port,
    take_text,
)
from services.catalog.domain.importers.formats.folders import DEFINITIONS, Folder, list_folders
from services.catalog.domain.importers.formats.umbrel_dependencies import ask_for_addresses, may_run_apart
from services.catalog.domain.importers.hosts import name_addresses
from services.catalog.domain.importers.variables import make_variable, substitute_variables
from services.catalog.domain.item_files.document import parse_document
from services.catalog.domain.renderer.interpolation import map_texts

_PROXY = "app_proxy"
_GALLERY = "https://getumbrel.github.io/umbrel-apps-gallery"  # Umbrel's pictures of its apps, which are not in the collection
EXPORTS = "exports.sh"
# Assignments of plain text in an app's script. Lengths are limited, since scripts are searched, never executed.
_EXPORT = re.compile(
    r"""^[ \t]*export ([A-Za-z_][A-Za-z0-9_]*)=(?:"([^"`\\\n]{0,300})"|'([^'\n]{0,300})'|([^"'`\\\s;#]{1,300}))[ \t]*(?:#.*)?$""",
    re.MULTILINE,
)
# `$(derive_entropy …)`, with the number of characters that the script cuts off.
_DERIVED = re.compile(
    r"\$\(derive_entropy[^)|]{0,200}(?:\|[^)]{0,60}?(?:head|cut) -(?:c ?|b ?|n ?)(?:1-)?([0-9]{1,3}))?[^)]*\)"
)
_MAX_VALUE = 500  # characters of a value in an app's script; longer ones are scripts themselves
_USED = re.compile(r"\$(?:\{([A-Za-z_]\w*)|([A-Za-z_]\w*))", re.ASCII)
# Variables that the platform or an input sets, so that they may stay in a value.
_OWN_VARIABLES = frozenset({"APP_SEED", "APP_PASSWORD", "PROXIMITY_HOSTNAME", "PROXIMITY_PUBLIC_PORT"})


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield every folder with an umbrel-app.yml."""
    for folder in list_folders(files, "umbrel-app.yml"):
        yield folder.path or folder.name, partial(_read_app, folder)


def _read_app(folder: Folder) -> Draft | None:
    about = take_mapping(
        parse_document(folder.files["umbrel-app.yml"], f"{folder.path}/umbrel-app.yml").value
    )
    found = folder.find_first(*DEFINITIONS)
    if found is None:
        raise RefusedEntryError("has no compose definition")
    if about.get("disabled"):
        raise RefusedEntryError("is marked as disabled by its collection")
    path, content = found
    needed = [str(name) for name in take_list(about.get("dependencies"))]
    if not may_run_apart(needed, content.decode(errors="replace")):
        raise RefusedEntryError(f"works only beside other apps: {', '.join(needed)}")
    own_id = take_text(about.get("id") or folder.name, 60)
    tree = dict(take_mapping(parse_document(content, path).value))
    services = dict(take_mapping(tree.get("services")))
    addresses = ask_for_addresses(needed, services)
    proxy = take_mapping(take_mapping(services.pop(_PROXY, None)).get("environment"))
    script = folder.files.get(EXPORTS, b"").decode(errors="replace")
    known = _read_exports(script, _list_known(own_id))
    host_port = take_port(about.get("port"))
    service = _find_target(own_id, str(proxy.get("APP_HOST", "")), services=services, known=known)
    port = _find_port(proxy.get("APP_PORT"), known, host_port=host_port)
    tree["services"] = services
    password = take_text(about.get("defaultPassword"), 200)
    inputs = [*_list_inputs(script), *addresses]
    return Draft(
        file=path,
        id=make_id(own_id),
        compose=_name_containers(
            own_id, map_texts(tree, lambda text: _rename_hosts(own_id, services, text=text))
        ),
        name=take_text(about.get("name"), 80),
        version=take_text(about.get("version"), 60),
        description=take_text(about.get("description")) or take_text(about.get("tagline")),
        category=take_text(about.get("category"), 60),
        release_notes=take_text(about.get("releaseNotes")),
        tags=[take_text(about.get("category"), 40)],
        author=take_text(about.get("developer"), 120),
        website=take_text(about.get("website"), 500),
        documentation=take_text(about.get("support"), 500),
        source_code=take_text(about.get("repo"), 500),
        icon=take_text(about.get("icon"), 200) or f"{_GALLERY}/{about['id']}/icon.svg",
        screenshots=_list_screenshots(about),
        architectures=["amd64", "arm64"],
        known=known,
        shared_folders=("${UMBREL_ROOT}/data/storage/", "${UMBREL_ROOT}/"),
        inputs=inputs,
        files=folder.files,
        main_service=service,
        main_port=port,
        published_port=host_port,
        probe_path=_take_path(about.get("path")),
        username=take_text(about.get("defaultUsername"), 200),
        password="${APP_PASSWORD}" if about.get("deterministicPassword") else password,
        notes=_note_dependencies(needed)
        + _note_computed(script, known.keys() | {record["name"] for record in inputs}),
    )


def _note_dependencies(needed: Sequence[str]) -> list[str]:
    text = f"On Umbrel it works together with {', '.join(needed)}; here give it their addresses."
    return [text] if needed else []


def _list_screenshots(about: Mapping[str, Any]) -> list[str]:
    pictures = map(str, take_list(about.get("gallery")))
    return [one if one.startswith("https://") else f"{_GALLERY}/{about['id']}/{one}" for one in pictures]


def _take_path(value: object) -> str:
    text = take_text(str(value or ""), 300)
    return text if text.startswith("/") else f"/{text}"


def _find_target(own_id: str, host: str, *, services: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Return the service behind the proxy: by its container, its name or its address."""
    named = {str(take_mapping(s).get("container_name")): name for name, s in services.items()}
    own_prefix = f"{own_id}_"
    is_container = host.startswith(own_prefix) and host.endswith("_1") and len(host) > len(own_prefix) + 2
    name = host[len(own_prefix) : -2] if is_container else host.strip("${}")
    if name in services:
        return name
    return str(name_addresses(services, known).get(name) or named.get(host) or name)


def _find_port(value: object, known: dict[str, str], *, host_port: int) -> int:
    """Return the port behind the proxy; where nothing sets its variable, it is the app's own."""
    text = str(value or "")
    if not text.startswith("$"):
        return take_port(text)
    name = text.strip("${}")
    if not take_port(known.get(name)):
        known[name] = str(host_port or "")
    return take_port(known[name])


def _rename_hosts(own_id: str, services: Mapping[str, Any], *, text: str) -> str:
    """Replace `<app>_<service>_1`, which exists on Umbrel only, by the service's own name."""
    if f"{own_id}_" not in text:
        return text
    return re.sub(
        rf"{re.escape(own_id)}_([A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*?)_1",
        lambda match: match[1] if match[1] in services else match[0],
        text,
    )


def _name_containers(own_id: str, tree: dict[str, Any]) -> dict[str, Any]:
    """Set the names that containers have on Umbrel, for files that name them."""
    services = {
        name: {"container_name": f"{own_id}_{name}_1", **service} if isinstance(service, dict) else service
        for name, service in tree["services"].items()
    }
    return {**tree, "services": services}


def _read_exports(script: str, known: dict[str, str]) -> dict[str, str]:
    """Return the known variables with the values that an app's script sets; it is never executed.

    A value may name variables that are known by then; one that runs a program is left out.
    """
    values = {**known, "EXPORTS_APP_DIR": "."}
    for match in _EXPORT.finditer(script):
        text = match[2] or match[4] or ""
        names = {name or bare for name, bare in _USED.findall(text)}
        if match[3] is None and ("$(" in text or not names <= values.keys() | _OWN_VARIABLES):
            continue
        values[match[1]] = (match[3] or substitute_variables(text, values))[:_MAX_VALUE]
    return values


def _note_computed(script: str, given: Set[str]) -> list[str]:
    names = sorted(set(re.findall(r"(?m)^\s{0,20}export ([A-Za-z_]\w{0,99})=", script)) - given)
    return (
        [f"On Umbrel a script computes {', '.join(names[:10])}; here they are empty unless given."]
        if names
        else []
    )


def _list_known(own_id: str) -> dict[str, str]:
    return {
        "APP_DATA_DIR": ".", "APP_ID": own_id, f"APP_{make_variable(own_id).upper()}_PORT": "${PROXIMITY_PUBLIC_PORT}",
        "DEVICE_HOSTNAME": "${PROXIMITY_HOSTNAME}", "DEVICE_DOMAIN_NAME": "${PROXIMITY_HOSTNAME}",
        "APP_DOMAIN": "${PROXIMITY_HOSTNAME}", "APP_PROXY_PORT": "${PROXIMITY_PUBLIC_PORT}", "NETWORK_IP": "10.21.0.0", "GATEWAY_IP": "10.21.0.1",
        "APP_HIDDEN_SERVICE": "notyetset.onion", "TOR_PROXY_IP": "127.0.0.1", "TOR_PROXY_PORT": "9050",
    }  # fmt: skip


def _list_inputs(script: str) -> list[dict[str, Any]]:
    """Return inputs for the secrets that Umbrel derives from an app's seed."""
    rules: dict[str, dict[str, Any]] = {
        "APP_PASSWORD": {"length": 32},
        "APP_SEED": {"length": 64, "alphabet": "hex"},
    }
    for line in script.splitlines():
        name, _, value = line.strip().removeprefix("export ").partition("=")
        if line.strip().startswith("export ") and (match := _DERIVED.search(value[:_MAX_VALUE])):
            length = min(max(int(match[1] or 64), 8), 128)
            rules[make_variable(name)] = {
                "length": length,
                "alphabet": "base64" if "base64" in match[0] else "hex",
            }
    label = {"APP_PASSWORD": "Password", "APP_SEED": "Seed of the app's secrets"}
    return [
        {"name": name, "label": label.get(name, name.replace("_", " ").capitalize()), "type": "password", "generate": rule}
        for name, rule in rules.items()
    ]  # fmt: skip
