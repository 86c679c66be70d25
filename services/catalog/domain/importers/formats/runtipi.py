"""Runtipi app stores: a folder per app with config.json and a compose definition, as YAML or their own JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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
from services.catalog.domain.importers.variables import add_default, make_variable
from services.catalog.domain.item_files.document import parse_document

_TYPES = {
    "text": "text",
    "password": "password",
    "boolean": "boolean",
    "number": "number",
    "email": "email",
    "url": "url",
}


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield every folder with a config.json."""
    for folder in list_folders(files, "config.json"):
        yield folder.path or folder.name, partial(_read_app, folder)


def _read_app(folder: Folder) -> Draft | None:
    try:
        config = json.loads(folder.files["config.json"])
    except (ValueError, RecursionError):
        raise RefusedEntryError("its config.json is not JSON") from None
    if not isinstance(config, dict) or "id" not in config:
        return None
    if config.get("deprecated") or config.get("available") is False:
        raise RefusedEntryError("is marked as no longer available by its collection")
    path, tree, main, port = _read_definition(folder)
    name = make_id(take_text(config["id"], 60))
    host_port = take_port(config.get("port"))
    return Draft(
        file=path,
        id=name,
        compose=tree,
        name=take_text(config.get("name"), 80),
        version=take_text(config.get("version"), 60),
        description=take_text(config.get("description")) or take_text(config.get("short_desc")),
        category=" ".join(take_text(c, 60) for c in take_list(config.get("categories"))),
        tags=[take_text(c, 40) for c in take_list(config.get("categories"))],
        author=take_text(config.get("author"), 120),
        website=take_text(config.get("website"), 500),
        source_code=take_text(config.get("source"), 500),
        icon=folder.find_picture("metadata/logo.jpg"),
        architectures=[str(a) for a in take_list(config.get("supported_architectures"))],
        known=_list_known(name, host_port),
        shared_folders=("${ROOT_FOLDER_HOST}/", "${RUNTIPI_MEDIA_DIR}/", "${STORAGE_PATH}/"),
        inputs=[
            _build_input(f)
            for f in map(take_mapping, take_list(config.get("form_fields")))
            if f.get("env_variable")
        ],
        files=folder.files,
        main_service=main,
        main_port=host_port if port is None else port,
        published_port=host_port,
        has_page=not config.get("no_gui"),
        probe_path=take_text(config.get("url_suffix"), 300) or "/",
        probe_scheme="https" if config.get("https") else "",
    )


def _list_known(name: str, port: int) -> dict[str, str]:
    return {
        "APP_DATA_DIR": ".", "APP_ID": name, "APP_PORT": str(port or ""), "APP_HOST": "${PROXIMITY_HOSTNAME}", "APP_PROTOCOL": "http",
        "APP_DOMAIN": "${PROXIMITY_HOSTNAME}:${PROXIMITY_PUBLIC_PORT}", "INTERNAL_IP": "${PROXIMITY_HOSTNAME}",
        "LOCAL_DOMAIN": "local", "DNS_IP": "1.1.1.1", "UID": "1000", "GID": "1000",
        "APP_EXPOSED": "false", "NETWORK_INTERFACE": "",
    }  # fmt: skip


def _read_definition(folder: Folder) -> tuple[str, Any, str, int | None]:
    """Return path, definition, main service and its port.

    The port is 0 where the definition publishes it itself, None where it is the one that the app is opened on.

    Runtipi runs the JSON; YAML beside it that has no `x-runtipi` is left over from its third version.
    """
    dynamic = folder.find_first("docker-compose.json")
    found = folder.find_first(*DEFINITIONS)
    tree = take_mapping(parse_document(found[1], found[0]).value) if found and not dynamic else {}
    if found and dynamic and b"x-runtipi" in found[1]:
        tree = take_mapping(parse_document(found[1], found[0]).value)
    if found and tree:
        marked, port = _find_marked(tree)
        return found[0], tree, marked, port or _find_target(tree)
    if dynamic is None:
        raise RefusedEntryError("has no compose definition")
    return _read_dynamic(*dynamic)


def _read_dynamic(path: str, content: bytes) -> tuple[str, Any, str, int | None]:
    try:
        services = take_list(take_mapping(json.loads(content)).get("services"))
    except (ValueError, RecursionError):
        raise RefusedEntryError("its docker-compose.json is not JSON") from None
    tree = {"services": {str(s.get("name")): _read_service(s) for s in map(take_mapping, services)}}
    main: Mapping[str, Any] = next((s for s in map(take_mapping, services) if s.get("isMain")), {})
    inside = main.get("internalPort")
    return path, tree, str(main.get("name", "")), None if "APP_PORT" in str(inside) else take_port(inside)


def _find_marked(tree: Mapping[str, Any]) -> tuple[str, int]:
    """Return the service that `x-runtipi` marks as the main one, and its port."""
    for name, service in take_mapping(tree.get("services")).items():
        mark = take_mapping(take_mapping(service).get("x-runtipi"))
        if mark.get("is_main"):
            return str(name), take_port(mark.get("internal_port"))
    return "", 0


def _find_target(tree: Mapping[str, Any]) -> int:
    """Return the port behind `${APP_PORT}:…`, which is the app's page."""
    for service in take_mapping(tree.get("services")).values():
        for entry in take_list(take_mapping(service).get("ports")):
            text = str(entry)
            if "APP_PORT" in text:
                return take_port(text.rpartition(":")[2].partition("/")[0])
    return 0


def _read_service(record: Mapping[str, Any]) -> dict[str, Any]:
    service: dict[str, Any] = {"image": str(record.get("image", ""))}
    for key, name in (
        ("command", "command"), ("entrypoint", "entrypoint"), ("user", "user"), ("hostname", "hostname"),
        ("networkMode", "network_mode"), ("privileged", "privileged"), ("capAdd", "cap_add"), ("tty", "tty"),
        ("devices", "devices"), ("shmSize", "shm_size"), ("workingDir", "working_dir"), ("pid", "pid"),
        ("stdinOpen", "stdin_open"), ("ulimits", "ulimits"), ("sysctls", "sysctls"), ("dependsOn", "depends_on"),
        ("readOnly", "read_only"), ("securityOpt", "security_opt"), ("capDrop", "cap_drop"), ("dns", "dns"),
        ("extraHosts", "extra_hosts"), ("stopSignal", "stop_signal"), ("stopGracePeriod", "stop_grace_period"),
        ("deploy", "deploy"), ("ipc", "ipc"), ("init", "init"), ("restart", "restart"),
    ):  # fmt: skip
        if record.get(key) not in (None, [], ""):
            service[name] = record[key]
    if health := take_mapping(record.get("healthCheck")):
        names = {"startPeriod": "start_period", "startInterval": "start_interval"}
        service["healthcheck"] = {names.get(key, key): value for key, value in health.items()}
    environment = record.get("environment")
    if isinstance(environment, list):
        environment = {
            str(e["key"]): e.get("value", "") for e in map(take_mapping, environment) if e.get("key")
        }
    if environment:
        service["environment"] = environment
    mounts = [take_mapping(v) for v in take_list(record.get("volumes"))]
    service["volumes"] = [
        f"{m['hostPath']}:{m['containerPath']}{':ro' if m.get('readOnly') else ''}"
        for m in mounts
        if m.get("hostPath") and m.get("containerPath")
    ]
    service["ports"] = [
        text for p in map(take_mapping, take_list(record.get("addPorts"))) for text in _read_ports(p)
    ]
    return service


def _read_ports(record: Mapping[str, Any]) -> list[str]:
    protocols = [p for p in ("tcp", "udp") if record.get(p)] or ["tcp"]
    interface = str(record.get("interface") or "")
    prefix = f"{interface}:" if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", interface) else ""
    prefix = f"[{interface}]:" if re.fullmatch(r"[0-9a-fA-F:]{2,39}", interface) else prefix
    return [f"{prefix}{record.get('hostPort')}:{record.get('containerPort')}/{p}" for p in protocols]


def _build_input(field: Mapping[str, Any]) -> dict[str, Any]:
    name = make_variable(str(field["env_variable"]))
    record: dict[str, Any] = {
        "name": name,
        "label": take_text(field.get("label"), 300) or name,
        "type": "text",
    }
    if text := take_text(field.get("hint"), 4000):
        record["help"] = text
    kind = str(field.get("type"))
    if kind == "random":
        low = field.get("min")
        length = min(max(low, 8), 128) if isinstance(low, int) and low else 32
        alphabet = "base64" if field.get("encoding") == "base64" else "hex"
        return {**record, "type": "password", "generate": {"length": length, "alphabet": alphabet}}
    record["type"] = _TYPES.get(kind, "text")
    record["required"] = bool(field.get("required"))
    options = [take_mapping(o) for o in take_list(field.get("options"))]
    if options:
        choices = [
            {"value": take_text(o.get("value"), 500), "label": take_text(o.get("label"), 300) or "-"}
            for o in options
        ]
        record |= {"type": "choice", "choices": choices}
    elif record["type"] in {"text", "password", "number"}:
        limits = {"minimum": field.get("min"), "maximum": field.get("max")}
        record |= {
            key: value for key, value in limits.items() if isinstance(value, int | float) and value > 0
        }
    return add_default(record, field.get("default"))
