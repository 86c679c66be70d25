"""ListCategoryItems: the entries of a category, whatever the case of its name."""

from __future__ import annotations

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.errors import CategoryNotFoundError
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter
from services.catalog.usecases.items import list_category_items
from tests.fakes.catalog_replica import CatalogReplica, make_call


def test_categories_are_found_in_any_case(own_index: CatalogIndex) -> None:
    found = list_category_items(own_index, "dataBASES", wanted=ItemFilter())
    assert {"postgres", "redis", "mariadb"} <= {item.id for item in found.items}
    assert own_index.categories["Databases"] == found.total == len(found.items)


async def test_filters_apply_within_a_category(own: CatalogReplica) -> None:
    few = pb.ListCategoryItemsRequest(category="databases", memory=64)
    small = (await own.api.list_category_items(few, make_call())).message.applications
    assert small
    assert all(item.min_memory <= 64 and item.category == "Databases" for item in small)


async def test_an_unknown_category_is_refused_whatever_state_the_client_has(own: CatalogReplica) -> None:
    request = pb.ListCategoryItemsRequest(category="Nonsense")
    with pytest.raises(CategoryNotFoundError, match="Nonsense"):
        await own.api.list_category_items(request, make_call(if_none_match="*"))
