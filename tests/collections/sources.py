"""Reads entries of collections without the importers: the services as their own systems run them, variables unresolved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from services.catalog.domain.sources import SourceFormat

Services = Mapping[str, Mapping[str, Any]]
Files = Mapping[str, bytes]

_DEFINITIONS = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")


def read_source(kind: SourceFormat, files: Files, entry: str) -> Services:
    """Return the services of an entry, which is named as in the report of an import.

    Raises:
        KeyError: the entry has no definition that this reader knows.
    """
    return _READERS[kind](files, entry)


def _load(content: bytes) -> dict[str, Any]:
    """Read a definition as Docker Compose does: what YAML 1.1 takes for booleans, times and octal numbers is text."""
    tree = yaml.load(content, Loader=_TextLoader)
    return tree if isinstance(tree, dict) else {}


class _TextLoader(yaml.SafeLoader):
    """A loader for which every plain scalar is text, and which merges lists of texts as Coolify's parser does."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """See the base class."""
        for index, (key, value) in enumerate(node.value):
            is_list = isinstance(value, yaml.SequenceNode) and key.tag == "tag:yaml.org,2002:merge"
            if is_list and all(isinstance(one, yaml.ScalarNode) for one in value.value):
                node.value[index] = (
                    key,
                    yaml.MappingNode("tag:yaml.org,2002:map", [_split_pair(one) for one in value.value]),
                )
        super().flatten_mapping(node)


def _split_pair(node: yaml.ScalarNode) -> tuple[yaml.ScalarNode, yaml.ScalarNode]:
    name, equals, text = node.value.partition("=")
    tag = "tag:yaml.org,2002:str" if equals else "tag:yaml.org,2002:null"
    return yaml.ScalarNode("tag:yaml.org,2002:str", name), yaml.ScalarNode(tag, text)


_TextLoader.yaml_implicit_resolvers = {}
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:~|null|)$"), ["~", "n", ""])
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^(?:<<)$"), ["<"])


def _find_definition(files: Files, folder: str) -> bytes:
    path = next(f"{folder}/{name}" for name in _DEFINITIONS if f"{folder}/{name}" in files)
    return files[path]


def _read_folder(files: Files, entry: str) -> Services:
    folder = str(PurePosixPath(entry).parent) if PurePosixPath(entry).suffix in {".yml", ".yaml"} else entry
    return dict(_load(_find_definition(files, folder)).get("services") or {})


def _read_umbrel(files: Files, entry: str) -> Services:
    """Read an app of Umbrel, whose containers are called `<app>_<service>_1` and are reached by that name there."""
    folder = str(PurePosixPath(entry).parent) if PurePosixPath(entry).suffix in {".yml", ".yaml"} else entry
    services = dict(_load(_find_definition(files, folder)).get("services") or {})
    services.pop("app_proxy", None)
    text = json.dumps(services)
    for name in services:
        text = re.sub(
            rf"(?<![\w-]){re.escape(f'{PurePosixPath(folder).name}_{name}_1')}(?![\w-])", name, text
        )
    return dict(json.loads(text))


def _read_file(files: Files, entry: str) -> Services:
    return dict(_load(files[entry]).get("services") or {})


def _read_runtipi(files: Files, entry: str) -> Services:
    path = f"{entry}/docker-compose.json"
    if path not in files:
        return _read_folder(files, entry)
    tree = json.loads(files[path])
    records = tree["services"]
    return {record["name"]: _convert_runtipi(record) for record in records}


def _convert_runtipi(record: Mapping[str, Any]) -> dict[str, Any]:
    variables = record.get("environment") or {}
    if isinstance(variables, list):
        variables = {one["key"]: one["value"] for one in variables}
    depends = record.get("dependsOn") or []
    ports = [
        {"target": one["containerPort"], "published": one["hostPort"], "protocol": protocol}
        for one in record.get("addPorts") or []
        for protocol in ("tcp", "udp")
        if one.get(protocol) or (protocol == "tcp" and not one.get("udp"))
    ]
    if record.get("isMain") and record.get("internalPort"):
        ports.append({"target": record["internalPort"], "published": "", "protocol": "tcp"})
    volumes = [
        {"source": one["hostPath"], "target": one["containerPath"], "read_only": one.get("readOnly", False)}
        for one in record.get("volumes") or []
    ]
    names = {"command": "command", "entrypoint": "entrypoint", "user": "user", "workingDir": "working_dir",
             "networkMode": "network_mode", "hostname": "hostname", "shmSize": "shm_size"}  # fmt: skip
    return {
        "image": record["image"],
        "environment": variables,
        "depends_on": depends,
        "ports": ports,
        "volumes": volumes,
        **{ours: record[theirs] for theirs, ours in names.items() if record.get(theirs) is not None},
    }


def _read_portainer(files: Files, entry: str) -> Services:
    path, _, name = entry.rpartition("#")
    template = _find_template(json.loads(files[path])["templates"], name)
    if int(template["type"]) == 1:
        return {name: _convert_template(template)}
    inline = template.get("stackFile") or ""
    if "\n" in inline:
        return dict(_load(inline.encode())["services"])
    repository = template["repository"]
    home = repository["url"].split("://", 1)[1].strip("/").removesuffix(".git").lower()
    stack = repository["stackfile"].strip("/")
    content = files.get(f".stacks/{home}/{stack}") or files[stack]
    return dict(_load(content)["services"])


def _find_template(templates: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return a template by its title in lower case with dashes; `-2` at the end is the second of that title."""
    taken: set[str] = set()
    for template in templates:
        title = "-".join(
            "".join(
                c if c.isascii() and c.isalnum() else " "
                for c in str(template["name"] if template.get("name") else template["title"]).lower()
            ).split()
        )[:60].strip("-")
        free, number = title, 2
        while free in taken:
            free, number = f"{title}-{number}", number + 1
        taken.add(free)
        if free == name:
            return template
    raise KeyError(name)


def _convert_template(template: Mapping[str, Any]) -> dict[str, Any]:
    registry = str(template.get("registry") or "").split("://")[-1].strip("/")
    image = str(template["image"])
    ports = []
    for entry in template.get("ports") or []:
        pairs = entry.items() if isinstance(entry, dict) else [str(entry).rpartition(":")[::2]]
        for published, target in pairs:
            number, _, protocol = str(target).strip().lower().partition("/")
            for one in protocol.replace("/", ",").split(",") if protocol else ["tcp"]:
                place = {"target": number.strip(), "published": str(published).strip()}
                ports += [{**place, "protocol": one.strip()}]
    volumes = [
        {"source": one.get("bind") or "", "target": one["container"], "read_only": bool(one.get("readonly"))}
        for one in (
            v if isinstance(v, dict) else {"container": v} for v in template.get("volumes") or [] if v
        )
    ]
    variables = {one["name"]: f"${{{one['name']}}}" for one in template.get("env") or [] if one.get("name")}
    result = {
        "image": f"{registry}/{image}" if registry and not image.startswith(registry) else image,
        "environment": variables,
        "ports": ports,
        "volumes": volumes,
        "network_mode": "host" if template.get("network") == "host" else None,
        "command": str(template.get("command") or "").replace("$", "$$") or None,
        "hostname": template.get("hostname") or None,
    }
    return {key: value for key, value in result.items() if value is not None}


_READERS: Mapping[SourceFormat, Callable[[Files, str], Services]] = {
    SourceFormat.CASAOS: _read_folder,
    SourceFormat.RUNTIPI: _read_runtipi,
    SourceFormat.UMBREL: _read_umbrel,
    SourceFormat.COOLIFY: _read_file,
    SourceFormat.DOKPLOY: _read_folder,
    SourceFormat.PORTAINER: _read_portainer,
    SourceFormat.COMPOSE: _read_folder,
}
