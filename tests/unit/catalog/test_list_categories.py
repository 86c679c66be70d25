"""ListCategories: the names of all categories that have items."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf import empty_pb2

from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.usecases.items import list_categories
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import build


async def test_categories_of_our_items_are_sorted(own: CatalogReplica, own_index: CatalogIndex) -> None:
    names = list((await own.api.list_categories(empty_pb2.Empty(), make_call())).categories)
    assert names == sorted({item.category for item in own_index.entries}, key=str.casefold)


def test_a_category_goes_with_its_last_item() -> None:
    items = [
        replace(build(), id=name, name=f"Name {name}", category=name.capitalize())
        for name in ("tools", "media")
    ]
    assert list_categories(CatalogIndex(items)) == ["Media", "Tools"]
    assert list_categories(CatalogIndex(items[:1])) == ["Tools"]
    assert list_categories(CatalogIndex([])) == []
