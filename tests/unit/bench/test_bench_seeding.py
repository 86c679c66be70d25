"""Seeds of the bench: they have the shape that the figures are stated for."""

from __future__ import annotations

from pathlib import Path

from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.search.catalog_index import CatalogIndex
from tests.bench.seeding import write_catalog


def test_every_item_of_the_catalog_is_an_entry_with_one_source(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog", count=200)
    files = [(path.name, path.read_bytes()) for path in (tmp_path / "catalog").glob("*.yaml")]
    loaded = load_items(files, source=OWN_SOURCE)
    assert not loaded.faults
    entries = CatalogIndex(each.item for each in loaded.items).entries
    assert len(entries) == 200
    assert {len(item.sources) for item in entries} == {1}
