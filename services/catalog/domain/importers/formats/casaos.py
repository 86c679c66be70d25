"""CasaOS app stores: a compose file per app with `x-casaos`."""

from __future__ import annotations

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
from services.catalog.domain.item_files.document import parse_document

# CasaOS writes ports as `${WEBUI_PORT:-8080}`; only the default is known here.
_VARIABLE = re.compile(r"\$\{[A-Za-z0-9_]+:?-([0-9]+)\}")


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield every folder with a compose file."""
    for folder in list_folders(files, *DEFINITIONS):
        yield folder.path or folder.name, partial(_read_app, folder)


def _read_app(folder: Folder) -> Draft | None:
    found = folder.find_first(*DEFINITIONS)
    if found is None:
        return None
    path, content = found
    tree = take_mapping(parse_document(content, path).value)
    about = take_mapping(tree.get("x-casaos"))
    if not about:
        raise RefusedEntryError("has no x-casaos section")
    name = make_id(take_text(tree.get("name") or about.get("id") or folder.name, 60)) or make_id(folder.name)
    services = take_mapping(tree.get("services"))
    main = take_text(about.get("main"), 63)
    tips = take_mapping(about.get("tips"))
    draft = Draft(
        file=path,
        id=name,
        compose=tree,
        name=take_text(about.get("title"), 80),
        version=take_text(about.get("version"), 60),
        description=take_text(about.get("description")) or take_text(about.get("tagline")),
        category=take_text(about.get("category"), 60),
        tags=[take_text(about.get("category"), 40)],
        release_notes=take_text(about.get("release_notes")),
        author=take_text(about.get("developer") or about.get("author"), 120),
        website=take_text(about.get("website"), 500),
        documentation=take_text(about.get("docs"), 500),
        source_code=take_text(about.get("repo"), 500),
        icon=folder.find_picture(take_text(about.get("icon"), 200)),
        screenshots=[
            folder.find_picture(take_text(link, 500)) for link in take_list(about.get("screenshot_link"))
        ],
        architectures=[str(a) for a in take_list(about.get("architectures"))],
        known={"AppID": name, "PUID": "1000", "PGID": "1000", "DefaultUserName": "admin"},
        own_folders=(f"/DATA/AppData/{name}/", f"/DATA/AppData/{tree.get('name')}/", "/DATA/AppData/"),
        shared_folders=("/DATA/",),
        files=folder.files,
        main_service=main if main in services else "",
        published_port=take_port(_VARIABLE.sub(r"\1", take_text(about.get("port_map"), 100))),
        probe_path=take_text(about.get("index"), 300) or "/",
        probe_scheme=take_text(about.get("scheme"), 10),
        helps=_read_helps(services),
    )
    for text in (tips.get("before_install"), tips.get("custom")):
        if note := take_text(text, 900):
            draft.notes.append(note)
    return draft


def _read_helps(services: Mapping[str, Any]) -> dict[str, str]:
    """Return the descriptions of variables in the services' own `x-casaos`, by name."""
    helps: dict[str, str] = {}
    for service in map(take_mapping, services.values()):
        for env in map(take_mapping, take_list(take_mapping(service.get("x-casaos")).get("envs"))):
            text = take_text(env.get("description"), 1000)
            if text:
                helps.setdefault(str(env.get("container")), text)
    return helps
