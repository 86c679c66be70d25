"""Plain compose files: a folder or a file per app; `proximity.*` labels add what compose has no field for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from services.catalog.domain.importers.default_values import read_default_values
from services.catalog.domain.importers.draft import Draft, Entry, make_id, take_mapping, take_port, take_text
from services.catalog.domain.importers.formats.folders import DEFINITIONS, list_folders
from services.catalog.domain.item_files.document import parse_document
from services.catalog.domain.renderer.compose import read_pairs

# Labels, because Compose refuses unknown keys and hands labels on to Docker unread.
_PREFIX = "proximity."


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield every folder with a compose file, and every other YAML file at the top."""
    for folder in list_folders(files, *DEFINITIONS):
        found = folder.find_first(*DEFINITIONS)
        if found:
            name = folder.name if folder.path else PurePosixPath(found[0]).stem
            yield found[0], partial(_read_app, found[0], found[1], name=name, files=folder.files)
    for path, content in files.items():
        pure = PurePosixPath(path)
        if (
            pure.parent == PurePosixPath()
            and pure.suffix in {".yml", ".yaml"}
            and pure.name not in DEFINITIONS
        ):
            yield path, partial(_read_app, path, content, name=pure.stem, files=files)


def _read_app(path: str, content: bytes, *, name: str, files: Mapping[str, bytes]) -> Draft | None:
    tree = take_mapping(parse_document(content, path).value)
    services = take_mapping(tree.get("services"))
    labels: dict[str, Any] = {}
    main = ""
    for service_name, service in services.items():
        pairs = read_pairs(take_mapping(service).get("labels"))
        own = {key.removeprefix(_PREFIX): value for key, value in pairs.items() if key.startswith(_PREFIX)}
        if own and not main:
            main = service_name
        labels = {**own, **labels}

    defaults = read_default_values(files)

    def take(key: str, limit: int = 500) -> str:
        return take_text(labels.get(key), limit)

    return Draft(
        file=path,
        id=make_id(take("id", 60) or take_text(tree.get("name"), 60) or name),
        compose=tree,
        name=take("name", 80) or name.replace("-", " ").replace("_", " ").title(),
        version=take("version", 60),
        description=take("description", 4000),
        category=take("category", 60),
        tags=take("tags").split(","),
        author=take("author", 120),
        website=take("website"),
        documentation=take("documentation"),
        icon=take("icon", 200),
        architectures=[text.strip() for text in take("architectures").split(",") if text.strip()],
        files=files,
        inputs=defaults.inputs,
        known=defaults.known,
        replaced=defaults.replaced,
        main_service=main,
        main_port=take_port(labels.get("port")),
        probe_path=take("probe", 300) or "/",
        memory=int(take("memory", 6)) if take("memory", 6).isdigit() else 0,
    )
