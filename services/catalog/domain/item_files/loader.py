"""Loader of item files: a bad file is reported, the good ones are loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import InvalidItemError
from services.catalog.domain.faults import Fault
from services.catalog.domain.item import Record
from services.catalog.domain.item_files.document import UnreadableDocumentError, parse_document
from services.catalog.domain.item_files.parser import parse_item

# Paths of the API beside `/api/catalog/{app_id}`, which routes prefer to an id.
_RESERVED = frozenset({"categories", "category", "reload", "schema", "search", "sources", "stats"})


@dataclass(frozen=True, slots=True)
class LoadedItem:
    """An item and the document it was built from, as it is stored."""

    item: Item
    document: Record


@dataclass(frozen=True, slots=True)
class Loaded:
    """Result of a load: the good items and every fault of the bad files."""

    items: tuple[LoadedItem, ...]
    faults: tuple[Fault, ...]


def load_items(files: Iterable[tuple[str, bytes]], *, source: str) -> Loaded:
    """Parse files given as (name, content). An id that occurs twice is refused the second time."""
    items: dict[str, LoadedItem] = {}
    faults: list[Fault] = []
    for name, content in files:
        try:
            document = parse_document(content, name)
            item = parse_item(document, source=source)
        except UnreadableDocumentError as error:
            faults.append(error.fault)
            continue
        except InvalidItemError as error:
            faults += error.faults
            continue
        own_id = document.value["id"]
        if own_id != PurePath(name).stem:
            faults.append(
                Fault(name, document.line_of(("id",)), f"the file of {own_id!r} must be {own_id}.yaml")
            )
        elif item.id in _RESERVED:
            faults.append(
                Fault(name, document.line_of(("id",)), f"{own_id!r} is a path of the API and cannot be an id")
            )
        elif item.id in items:
            faults.append(
                Fault(name, document.line_of(("id",)), f"the id {own_id!r} is taken by another file")
            )
        else:
            items[item.id] = LoadedItem(item, document.value)
    return Loaded(tuple(items.values()), tuple(faults))
