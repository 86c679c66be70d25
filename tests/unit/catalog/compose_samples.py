"""Imports of a compose file or a small collection, for the suites of the importers."""

from __future__ import annotations

from typing import Any

from services.catalog.domain.importers.collection import Imported, import_collection
from services.catalog.domain.item import Record
from services.catalog.domain.sources import SourceFormat


def load(files: dict[str, str], kind: SourceFormat = SourceFormat.COMPOSE) -> Imported:
    content = {f"app/{path}": text.encode() for path, text in files.items()}
    return import_collection(content, source="acme", kind=kind)


def read(text: str, **files: str) -> Record:
    (entry,) = load({"compose.yaml": text, **files}).items
    return entry.document


def refuse(text: str, **files: str) -> str:
    imported = load({"compose.yaml": text, **files})
    assert not imported.items
    return imported.rejections[0].error


def list_inputs(document: Record) -> dict[str, Any]:
    return {record["name"]: record for record in document["inputs"]}


def list_ports(document: Record) -> list[tuple[str, int, int, str]]:
    return [(p["service"], p["container"], p["published"], p["purpose"]) for p in document["ports"]]
