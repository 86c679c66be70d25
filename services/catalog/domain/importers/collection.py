"""Import of a whole collection: every entry becomes an item or a rejection with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from services.catalog.domain.errors import InvalidItemError
from services.catalog.domain.faults import Rejection
from services.catalog.domain.importers.document_builder import build_document
from services.catalog.domain.importers.draft import Draft, Entry, RefusedEntryError
from services.catalog.domain.importers.formats import (
    casaos,
    compose_files,
    coolify,
    dokploy,
    portainer,
    runtipi,
    umbrel,
)
from services.catalog.domain.importers.formats.foreign_formats import find_foreign_format
from services.catalog.domain.item_files.document import Document, UnreadableDocumentError
from services.catalog.domain.item_files.loader import LoadedItem, load_items
from services.catalog.domain.item_files.parser import parse_item
from services.catalog.domain.sources import SourceFormat

READERS: Mapping[SourceFormat, Callable[[Mapping[str, bytes]], Iterator[Entry]]] = {
    SourceFormat.PORTAINER: portainer.list_entries,
    SourceFormat.CASAOS: casaos.list_entries,
    SourceFormat.RUNTIPI: runtipi.list_entries,
    SourceFormat.UMBREL: umbrel.list_entries,
    SourceFormat.COOLIFY: coolify.list_entries,
    SourceFormat.DOKPLOY: dokploy.list_entries,
    SourceFormat.COMPOSE: compose_files.list_entries,
}
MAX_ENTRIES = 5000  # entries; all known collections together have 1,300 apps
_LONGEST = 400  # characters of a reason; an entry may have several
_LONGEST_REASONS = 1500  # characters of all reasons of an entry
# Errors of code that takes the documented form of a collection for granted: the entry is rejected, not the source.
_MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True, slots=True)
class Imported:
    """Result of an import: items and rejections."""

    items: tuple[LoadedItem, ...]
    rejections: tuple[Rejection, ...]


def import_collection(files: Mapping[str, bytes], *, source: str, kind: SourceFormat) -> Imported:
    """Import a collection's files, given by path.

    Args:
        files: content by path.
        source: its name; item ids are `<source>.<id>`.
        kind: the format it is written in.
    """
    if kind is SourceFormat.NATIVE:
        return _import_native(files, source)
    items: dict[str, LoadedItem] = {}
    rejections: list[Rejection] = []
    for number, (file, read) in enumerate(READERS[kind](files)):
        if number == MAX_ENTRIES:
            rejections.append(Rejection(file, f"only the first {MAX_ENTRIES} entries are read"))
            break
        result = _import_entry(read, file, source=source)
        if isinstance(result, LoadedItem):
            if result.item.id in items:
                rejections.append(
                    Rejection(file, f"the id {result.document['id']!r} is taken by another entry")
                )
            else:
                items[result.item.id] = result
        elif result is not None:
            rejections.append(Rejection(result.file[:_LONGEST], result.error))
    if not items and (reason := find_foreign_format(files)):
        rejections.insert(0, Rejection("the collection", reason))
    return Imported(tuple(items.values()), tuple(rejections))


def shorten_text(text: str) -> str:
    """Return a reason of limited length: what it quotes may be a whole file."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 100]} … {text[-90:]}"


def _import_native(files: Mapping[str, bytes], source: str) -> Imported:
    chosen = sorted(
        (path, data) for path, data in files.items() if PurePosixPath(path).suffix in {".yml", ".yaml"}
    )
    loaded = load_items(chosen, source=source)
    first = {fault.file: fault for fault in reversed(loaded.faults)}
    rejections = [Rejection(fault.file, f"line {fault.line}: {fault.message}") for fault in first.values()]
    return Imported(loaded.items, tuple(sorted(rejections, key=lambda r: r.file)))


def _import_entry(
    read: Callable[[], Draft | None], file: str, *, source: str
) -> LoadedItem | Rejection | None:
    draft = None
    reasons: list[str] = []
    try:
        draft = read()
        if draft is None:
            return None
        document = build_document(draft)
        item = parse_item(Document(file, document, {}), source=source, strict=False)
        if not draft.reasons:
            return LoadedItem(item, document)
    except RefusedEntryError as error:
        reasons.append(str(error))
    except UnreadableDocumentError as error:
        reasons.append(f"line {error.fault.line}: {error.fault.message}")
    except InvalidItemError as error:
        reasons += [fault.message for fault in error.faults]
    except _MISSHAPEN as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        reasons.append(f"is not in the form of its collection: {reason}")
    found = dict.fromkeys([*(draft.reasons if draft else ()), *reasons])
    return Rejection(file, "; ".join(map(shorten_text, found))[:_LONGEST_REASONS])
