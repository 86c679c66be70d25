"""How much a large catalog takes: the names of every known collection together are about 1,300."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

from services.catalog.config import DATA
from services.catalog.convert.items import ItemMessages
from services.catalog.domain.entities import OWN_SOURCE, Revision
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.publication import build_index
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.sources.own_files import OwnFiles

NAMES = 1300


def make_revisions() -> list[Revision]:
    documents = [
        entry.document for entry in load_items(OwnFiles(DATA).read_item_files(), source=OWN_SOURCE).items
    ]
    return [
        Revision(f"app{n}", f"r{n}", "1", "acme", {**documents[n % len(documents)], "id": f"app{n}"}, datetime.now(UTC))
        for n in range(NAMES)
    ]  # fmt: skip


def load(revisions: list[Revision]) -> tuple[CatalogIndex, ItemMessages]:
    index, messages = build_index(revisions, None), ItemMessages()
    messages.prepare(index.items)
    return index, messages


def test_thirteen_hundred_items_take_less_than_a_hundred_megabytes() -> None:
    revisions = make_revisions()
    tracemalloc.start()
    try:
        kept = load(revisions)
        assert len(kept[0].items) == NAMES
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
