"""Umbrel app stores: a folder per app with umbrel-app.yml and a compose file; their `app_proxy` service is dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from services.catalog.domain.document import parse_document
from services.catalog.domain.importers.draft import (
    Draft,
    RefusedEntryError,
    make_id,
    take_list,
    take_mapping,
    take_port,
    take_text,
)
from services.catalog.domain.importers.folders import DEFINITIONS, Folder, list_folders
from services.catalog.domain.importers.variables import make_variable
from services.catalog.domain.interpolation import map_texts

Entry = tuple[str, Callable[[], Draft | None]]

_PROXY = "app_proxy"
EXPORTS = "exports.sh"
_EXPORT = re.compile(
    r"""^export ([A-Z][A-Z0-9_]*)=(["']?)([^"'$`\\\n]{1,200})\2[ \t]*(?:#.*)?$""", re.MULTILINE
)


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
    if needed := [str(name) for name in take_list(about.get("dependencies"))]:
        raise RefusedEntryError(f"works only beside other apps: {', '.join(needed)}")
    if about.get("disabled"):
        raise RefusedEntryError("is marked as disabled by its collection")
    path, content = found
    own_id = take_text(about.get("id") or folder.name, 60)
    tree = dict(take_mapping(parse_document(content, path).value))
    services = dict(take_mapping(tree.get("services")))
    proxy = take_mapping(take_mapping(services.pop(_PROXY, None)).get("environment"))
    service, port = _find_target(own_id, proxy, services)
    tree["services"] = services
    password = take_text(about.get("defaultPassword"), 200)
    return Draft(
        file=path,
        id=make_id(own_id),
        compose=map_texts(tree, lambda text: _rename_hosts(own_id, services, text)),
        name=take_text(about.get("name"), 80),
        version=take_text(about.get("version"), 60),
        description=take_text(about.get("description")) or take_text(about.get("tagline")),
        category=take_text(about.get("category"), 60),
        tags=[take_text(about.get("category"), 40)],
        author=take_text(about.get("developer"), 120),
        website=take_text(about.get("website"), 500),
        documentation=take_text(about.get("support"), 500),
        source_code=take_text(about.get("repo"), 500),
        icon=take_text(about.get("icon"), 200),
        screenshots=[
            text for text in map(str, take_list(about.get("gallery"))) if text.startswith("https://")
        ],
        architectures=["amd64", "arm64"],
        known=_list_known(own_id) | _read_exports(folder.files.get(EXPORTS, b"")),
        own_folders=("${APP_DATA_DIR}/", "${APP_DATA_DIR}"),
        shared_folders=("${UMBREL_ROOT}/data/storage/", "${UMBREL_ROOT}/"),
        inputs=_list_inputs(),
        files=frozenset(folder.files),
        main_service=service,
        main_port=port,
        published_port=take_port(about.get("port")),
        probe_path=_take_path(about.get("path")),
        username=take_text(about.get("defaultUsername"), 200),
        password="${APP_PASSWORD}" if about.get("deterministicPassword") else password,
    )


def _take_path(value: object) -> str:
    text = take_text(str(value or ""), 300)
    return text if text.startswith("/") else f"/{text}"


def _find_target(own_id: str, proxy: Mapping[str, Any], services: Mapping[str, Any]) -> tuple[str, int]:
    host = str(proxy.get("APP_HOST", ""))
    match = re.fullmatch(rf"{re.escape(own_id)}_(.+)_1", host)
    name = match[1] if match else host
    return (name if name in services else ""), take_port(proxy.get("APP_PORT"))


def _rename_hosts(own_id: str, services: Mapping[str, Any], text: str) -> str:
    """Write services by their own names: `<app>_<service>_1` exists on Umbrel only."""
    if f"{own_id}_" not in text:
        return text
    return re.sub(
        rf"{re.escape(own_id)}_([A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*?)_1",
        lambda match: match[1] if match[1] in services else match[0],
        text,
    )


def _read_exports(script: bytes) -> dict[str, str]:
    """Read the plain values that an app's script sets, such as its ports; it is never run."""
    return {match[1]: match[3] for match in _EXPORT.finditer(script.decode(errors="replace"))}


def _list_known(own_id: str) -> dict[str, str]:
    return {
        "APP_ID": own_id, f"APP_{make_variable(own_id).upper()}_PORT": "${PROXIMITY_PUBLIC_PORT}",
        "DEVICE_HOSTNAME": "${PROXIMITY_HOSTNAME}", "DEVICE_DOMAIN_NAME": "${PROXIMITY_HOSTNAME}",
        "APP_DOMAIN": "${PROXIMITY_HOSTNAME}", "NETWORK_IP": "10.21.0.0", "GATEWAY_IP": "10.21.0.1",
        "APP_HIDDEN_SERVICE": "notyetset.onion", "TOR_PROXY_IP": "127.0.0.1", "TOR_PROXY_PORT": "9050",
    }  # fmt: skip


def _list_inputs() -> list[dict[str, Any]]:
    password: dict[str, Any] = {"name": "APP_PASSWORD", "label": "Password", "type": "password"}
    seed: dict[str, Any] = {"name": "APP_SEED", "label": "Seed of the app's secrets", "type": "password"}
    return [
        {**password, "generate": {"length": 32}},
        {**seed, "generate": {"length": 64, "alphabet": "hex"}},
    ]
