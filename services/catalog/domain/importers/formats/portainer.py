"""Portainer templates, versions 2 and 3: one JSON file with a list of templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from services.catalog.domain.importers.draft import (
    Draft,
    Entry,
    RefusedEntryError,
    make_id,
    take_list,
    take_mapping,
    take_text,
)
from services.catalog.domain.importers.formats.stacks import FAILURE, STACKS, name_stack_folder
from services.catalog.domain.importers.variables import add_default, make_variable
from services.catalog.domain.item_files.document import Value, parse_document

# Portainer replaces these before it reads the YAML, so they are replaced in the bytes as well.
_MUSTACHE = re.compile(rb"\{\{[ ]{0,3}([A-Za-z_]\w{0,99})[ ]{0,3}\}\}")
# Types of templates that need a cluster or an agent.
_KINDS = {2: "is a swarm stack", 4: "is an edge stack"}
_NAMES = {"container": 1, "stack": 2}  # as the first version of the format calls them


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield the templates of every JSON file that is a list of them.

    A repository may have lists of earlier versions: for an app in several of them the newest list counts.
    """
    lists: list[tuple[tuple[int, ...], str, list[Any]]] = []
    for path, content in files.items():
        if not path.endswith(".json") or path.startswith(STACKS):
            continue
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            yield path, partial(_refuse, "is not JSON, or larger than what is read")
            continue
        templates = data.get("templates") if isinstance(data, dict) else data
        if isinstance(templates, list):
            lists.append((_read_version(path, data), path, templates))
    newest: dict[str, tuple[int, ...]] = {}
    for version, path, templates in sorted(lists, key=lambda entry: (entry[0], entry[1]), reverse=True):
        taken: set[str] = set()
        for number, template in enumerate(templates):
            record = take_mapping(template)
            title = make_id(take_text(record.get("name") or record.get("title"), 60))
            name = _free_id(title or f"app-{number + 1}", taken)
            if newest.setdefault(name, version) == version:
                yield (
                    f"{path}#{name}",
                    partial(_read_template, f"{path}#{name}", name, record=record, files=files),
                )


def _read_version(path: str, data: Value) -> tuple[int, ...]:
    """Return the version of a list, from its content or its file's name."""
    version = take_text(data.get("version"), 20) if isinstance(data, dict) else "1"
    named = re.search(r"[0-9]{1,6}(?:\.[0-9]{1,6}){1,3}", path.rpartition("/")[2])
    numbers = named[0].split(".") if named else []
    first = re.search(r"[0-9]{1,6}", version)
    return (int(first[0]) if first else 1, *map(int, numbers))


def _refuse(reason: str) -> Draft:
    raise RefusedEntryError(reason)


def _free_id(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add(name)
    return name


def _read_template(
    file: str, name: str, *, record: Mapping[str, Any], files: Mapping[str, bytes]
) -> Draft | None:
    kind = _read_kind(record.get("type"))
    if kind in _KINDS:
        raise RefusedEntryError(f"{_KINDS[kind]}, not meant for a single host")
    if kind not in {1, 3}:
        raise RefusedEntryError(f"has the unknown type {kind!r}")
    if str(record.get("platform") or "linux").lower() != "linux":
        raise RefusedEntryError(f"is made for {record['platform']}")
    compose, beside = _read_stack(record, files) if kind == 3 else (_build_container(name, record), {})
    draft = Draft(
        file=file,
        id=name,
        compose=compose,
        name=take_text(record.get("title") or record.get("name"), 80),
        description=take_text(record.get("description")),
        category=" ".join(take_text(c, 60) for c in take_list(record.get("categories"))),
        tags=[take_text(c, 40) for c in take_list(record.get("categories"))],
        icon=take_text(record.get("logo"), 200),
        inputs=_list_inputs(record),
        own_folders=("/portainer/Files/AppData/Config/", "/portainer/Files/AppData/", "/portainer/"),
        known={"PUID": "1000", "PGID": "1000"},
        files=beside,
    )
    if note := take_text(record.get("note"), 900):
        draft.notes.append(note)
    return draft


def _read_kind(value: object) -> object:
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _read_stack(record: Mapping[str, Any], files: Mapping[str, bytes]) -> tuple[Value, Mapping[str, bytes]]:
    """Return a stack's definition and the files beside it."""
    inline = record.get("stackFile") or record.get("stackFileContent")
    if isinstance(inline, str) and "\n" in inline:
        return parse_document(_fill(inline.encode()), "stack").value, {}
    repository = take_mapping(record.get("repository"))
    path = take_text(repository.get("stackfile") or inline, 400).strip("/")
    url = take_text(repository.get("url"), 400)
    home = urlsplit(url).path.strip("/").removesuffix(".git")
    for candidate in (f"{name_stack_folder(url)}/{path}", f"{home}/{path}", f"{home.lower()}/{path}", path):
        if path and candidate in files:
            folder = candidate.rpartition("/")[0]
            beside = {p.removeprefix(f"{folder}/"): f for p, f in files.items() if p.startswith(f"{folder}/")}
            return parse_document(_fill(files[candidate]), candidate).value, beside if folder else {}
    if failure := files.get(f"{name_stack_folder(url)}/{FAILURE}"):
        raise RefusedEntryError(f"its stack file {path} cannot be had: {failure.decode(errors='replace')}")
    where = f" of {url}" if url else ""
    raise RefusedEntryError(f"its stack file {path or '(none)'}{where} is not part of the collection")


def _fill(definition: bytes) -> bytes:
    """Replace `{{ NAME }}`, which Portainer fills in before it reads a stack, by a variable."""
    return _MUSTACHE.sub(rb"${\1}", definition)


def _build_container(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    image = take_text(record.get("image"), 400)
    registry = re.sub(r"^https?://|/+$", "", take_text(record.get("registry"), 200))
    service: dict[str, Any] = {
        "image": f"{registry}/{image}" if registry and not image.startswith(registry) else image,
        "ports": [text for entry in take_list(record.get("ports")) for text in _read_ports(entry)],
        "volumes": [
            _build_mount(v if isinstance(v, dict) else {"container": v})
            for v in take_list(record.get("volumes"))
            if v
        ],
        "environment": {
            str(e["name"]): f"${{{make_variable(str(e['name']))}}}"
            for e in map(take_mapping, take_list(record.get("env")))
            if e.get("name")
        },
    }
    for key in ("command", "hostname"):
        if text := take_text(record.get(key), 2000):
            service[key] = text.replace("$", "$$")
    if record.get("restart_policy") in {"no", "always", "unless-stopped", "on-failure"}:
        service["restart"] = record["restart_policy"]
    if record.get("privileged"):
        service["privileged"] = True
    if str(record.get("network", "")) == "host":
        service["network_mode"] = "host"
    if record.get("interactive"):
        service |= {"tty": True, "stdin_open": True}
    return {"services": {name: service}}


def _read_ports(entry: object) -> Iterator[str]:
    """Yield the ports of an entry: `8080:80/tcp`, also with blanks, for both protocols, or as `{"8080": "80/tcp"}`."""
    if isinstance(entry, dict):
        for published, target in entry.items():
            yield from _read_ports(f"{published}:{target}")
        return
    text, _, protocols = str(entry).strip().lower().partition("/")
    if text:
        yield from (f"{text}/{protocol.strip()}" for protocol in re.split("[/,]", protocols or "tcp"))


def _build_mount(volume: Mapping[str, Any]) -> str:
    target, _, mode = take_text(volume.get("container"), 400).partition(":")
    if not target.startswith("/"):
        raise RefusedEntryError(f"mounts a volume at {target!r}, which is no path")
    source = take_text(volume.get("bind"), 400)
    suffix = ":ro" if volume.get("readonly") or mode == "ro" else ""
    return f"{source}:{target}{suffix}" if source else target


def _list_inputs(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs of a template; in a stack, secrets with defaults are known to its other services."""
    entries = [env for env in map(take_mapping, take_list(record.get("env"))) if env.get("name")]
    inputs = {made["name"]: made for made in map(_build_input, entries)}
    if any(env.get("type") == "container" for env in entries):
        for made in inputs.values():
            if made.pop("generate", None) or made["name"] in _list_hosts(entries):
                made["required"] = True
    return list(inputs.values())


def _list_hosts(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    return {make_variable(str(env["name"])) for env in entries if env.get("type") == "container"}


def _build_input(env: Mapping[str, Any]) -> dict[str, Any]:
    name = make_variable(str(env["name"]))
    record: dict[str, Any] = {"name": name, "label": take_text(env.get("label"), 300) or name, "type": "text"}
    if text := take_text(env.get("description"), 4000):
        record["help"] = text
    options = [take_mapping(option) for option in take_list(env.get("select"))]
    if options:
        chosen = next((o for o in options if o.get("default")), options[0])
        choices = {take_text(o.get("value"), 500): take_text(o.get("text"), 300) for o in options}
        return {
            **record,
            "type": "choice",
            "choices": [{"value": value, "label": label or value or "-"} for value, label in choices.items()],
            "default": take_text(chosen.get("value"), 500),
        }
    return add_default(record, env.get("default", env.get("set")))
