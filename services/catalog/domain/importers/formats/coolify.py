"""Coolify's service templates: a compose file per app with comments on top, and variables that Coolify generates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
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
from services.catalog.domain.item_files.document import parse_document
from services.catalog.domain.renderer.compose import read_pairs

_HOME = "templates/compose"
# Comments such as `# slogan: …` at the top of a template: Coolify reads its facts from them.
_ABOUT = re.compile(r"^#[ \t]*([a-z_]{1,30})[ \t]*:[ \t]*(.{0,2000})$", re.MULTILINE)
# `SERVICE_FQDN_<service>_<port>`: the address that Coolify gives a service, and the port behind it.
_ADDRESS = re.compile(r"\bSERVICE_(URL|FQDN)_([A-Z0-9_]*?)(?:_([0-9]{2,5}))?(?![A-Za-z0-9_])")
# `SERVICE_PASSWORD_64_<name>`: a value that Coolify generates, of a length that may be named.
_MADE = re.compile(
    r"\bSERVICE_(PASSWORDWITHSYMBOLS|PASSWORD|USER|REALBASE64|BASE64|HEX)(?:_([0-9]{1,3}))?_[A-Z0-9_]+\b"
)
# JSON Web Tokens with a content; a random value in their place would be refused by the app.
_SIGNED = re.compile(r"\bSERVICE_SUPABASE[A-Z0-9_]*\b")
_NO_VARIABLE = re.compile(
    r"(?<!\$)\$\{(?![A-Za-z_][A-Za-z0-9_]*(?:\}|:?[-?+]))"
)  # of another program, as `${env:NAME}`
# Characters of a generated value: where none are named, and at most.
_LENGTH, _LONGEST = 32, 128
_LOGOS = "https://raw.githubusercontent.com/coollabsio/coolify/main/public"
_URL = "http://${PROXIMITY_HOSTNAME}:${PROXIMITY_PUBLIC_PORT}"
_HOST = "${PROXIMITY_HOSTNAME}"


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield the compose files of Coolify's folder of templates, or those at the top where there is no such folder."""
    paths = [path for path in files if PurePosixPath(path).suffix in {".yml", ".yaml"}]
    inside = [path for path in paths if str(PurePosixPath(path).parent).endswith(_HOME)]
    for path in inside or [path for path in paths if "/" not in path]:
        yield path, partial(_read_app, path, files)


def _read_app(path: str, files: Mapping[str, bytes]) -> Draft:
    content = files[path]
    text = content.decode(errors="replace")
    about = {
        match[1]: match[2].strip().strip("\"'") for match in _ABOUT.finditer(text.partition("\nservices:")[0])
    }
    if about.get("ignore") == "true":
        raise RefusedEntryError("is marked as ignored by its collection")
    if signed := _SIGNED.search(text):
        raise RefusedEntryError(f"needs {signed[0]}, a token that Coolify signs")
    tree = _inline_files(take_mapping(parse_document(content, path, merges_lists=True).value))
    name = PurePosixPath(path).stem
    services = take_mapping(tree.get("services"))
    main, port = _find_page(services, text)
    tags = [tag.strip() for tag in about.get("tags", "").split(",")]
    draft = Draft(
        file=path,
        id=make_id(name),
        compose=tree,
        name=take_text(name.replace("-", " ").replace("_", " ").title(), 80),
        description=take_text(about.get("slogan")),
        category=take_text(about.get("category"), 60) or " ".join(tags),
        tags=tags,
        icon=_find_logo(path, about.get("logo", ""), files=files),
        documentation=take_text(about.get("documentation"), 500).partition("?utm")[0],
        known=_list_known(text),
        inputs=list(_list_inputs(text)),
        main_service=main,
        main_port=port or take_port(about.get("port")),
    )
    draft.website = draft.documentation
    return draft


def _find_logo(path: str, logo: str, *, files: Mapping[str, bytes]) -> str:
    """Return where the logo of an app is: in the source, or, where that is the folder of templates alone, at Coolify."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*){0,3}", logo):
        return logo if logo.startswith("https://") else ""
    place = f"{path.rpartition(_HOME)[0]}public/{logo}"
    return f"files/{place}" if place in files else f"{_LOGOS}/{logo}"


def _find_page(services: Mapping[str, Any], text: str) -> tuple[str, int]:
    """Return the service and the port of the first address in the definition, where it names them."""
    match = next((found for found in _ADDRESS.finditer(text) if found[2]), None)
    if match is None:
        return "", 0
    ports = [found[3] for found in _ADDRESS.finditer(text) if found[2] == match[2] and found[3]]
    wanted = match[2].replace("_", "")
    named = [name for name in services if re.sub(r"[^A-Z0-9]", "", str(name).upper()) == wanted]
    holding = [
        name
        for name, service in services.items()
        if any(
            str(key).startswith(f"SERVICE_{match[1]}_{match[2]}")
            for key in read_pairs(take_mapping(service).get("environment"))
        )
    ]
    return (str((named or holding or [""])[0]), take_port(ports[0]) if ports else 0)


def _list_known(text: str) -> dict[str, str]:
    """Return the addresses that Coolify gives services: all are the app's."""
    found = {match[0]: match[1] for match in re.finditer(r"\bSERVICE_(URL|FQDN)_[A-Z0-9_]+\b", text)}
    return {name: _URL if kind == "URL" else _HOST for name, kind in found.items()}


def _list_inputs(text: str) -> Iterator[dict[str, Any]]:
    """Yield inputs for the passwords and names that Coolify generates."""
    for name, match in {match[0]: match for match in _MADE.finditer(text)}.items():
        kind, size = match[1], min(max(int(match[2] or _LENGTH), 8), _LONGEST)
        record = {"name": name, "label": name.removeprefix("SERVICE_").replace("_", " ").capitalize()}
        match kind:
            case "USER":
                yield {**record, "type": "text", "default": "appuser"}
            case "REALBASE64":
                yield {**record, "type": "password", "generate": {"length": size, "alphabet": "base64"}}
            case "HEX":
                hexadecimal = {"length": min(2 * size, _LONGEST), "alphabet": "hex"}
                yield {**record, "type": "password", "generate": hexadecimal}
            case _:
                yield {**record, "type": "password", "generate": {"length": size}}


def _inline_files(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition whose mounts with a content of their own are configs, and addresses with a path are whole."""
    configs = dict(take_mapping(tree.get("configs")))
    services: dict[str, Any] = {}
    for name, service in take_mapping(tree.get("services")).items():
        services[name] = service
        if not isinstance(service, dict):
            continue
        changed = {key: value for key, value in service.items() if key != "exclude_from_hc"}
        mounts, files = [], take_list(service.get("configs"))
        for entry in take_list(service.get("volumes")):
            if isinstance(entry, dict) and "content" in entry:
                source = f"inline-{len(configs) + 1}"
                configs[source] = {"content": _NO_VARIABLE.sub(r"$\g<0>", str(entry["content"]))}
                files = [*files, {"source": source, "target": str(entry.get("target"))}]
            else:
                mounts.append(entry)
        changed |= {"volumes": mounts} if mounts else {}
        changed |= {"configs": files} if files else {}
        if not mounts:
            changed.pop("volumes", None)
        changed["environment"] = {
            key: f"${{{key}}}{value}"
            if _ADDRESS.fullmatch(str(key)) and str(value or "").startswith("/")
            else value
            for key, value in read_pairs(service.get("environment")).items()
        }
        services[name] = changed
    return {**tree, "services": services, **({"configs": configs} if configs else {})}
