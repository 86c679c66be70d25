"""ReloadCatalog: publication of the item files of this installation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.faults import Fault, Rejection
from services.catalog.domain.interfaces import CatalogStore, OwnItemFiles, PublishedCatalog
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.publication import publish_items


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Outcome of a reload: the number of published items, and the files that were left out."""

    total: int
    rejected: tuple[Rejection, ...]


async def reload_catalog(catalog: PublishedCatalog, store: CatalogStore, *, files: OwnItemFiles) -> Reloaded:
    """Read our own item files, publish the good ones and return which were rejected."""
    reloaded = await _publish_files(store, files)
    # The documents of the files are freed by now: the index of the catalog takes their place in memory.
    await catalog.refresh()
    return reloaded


async def _publish_files(store: CatalogStore, files: OwnItemFiles) -> Reloaded:
    # 130 files take a second to parse: in a thread, so that other calls are answered meanwhile.
    loaded = await asyncio.to_thread(lambda: load_items(files.read_item_files(), source=OWN_SOURCE))
    rejected = tuple(
        Rejection(fault.file, f"line {fault.line}: {fault.message}") for fault in _list_first(loaded.faults)
    )
    await publish_items(store, OWN_SOURCE, items=loaded.items, rejected=rejected)
    return Reloaded(len(loaded.items), rejected)


def _list_first(faults: Sequence[Fault]) -> list[Fault]:
    """Return the first fault of each file."""
    return list({fault.file: fault for fault in reversed(faults)}.values())[::-1]
