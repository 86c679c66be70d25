"""GetCatalogStats: counts over all published items."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf import empty_pb2

from services.catalog.domain.search.catalog_index import CatalogIndex
from services.catalog.usecases.items import get_catalog_stats
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import build


async def test_the_counts_of_our_items_add_up(own: CatalogReplica, own_index: CatalogIndex) -> None:
    stats = await own.api.get_catalog_stats(empty_pb2.Empty(), make_call())
    assert stats.total_apps == len(own_index.entries) == sum(stats.categories.values())
    assert stats.total_categories == len(stats.categories)
    assert list(stats.sources) == ["builtin"]
    assert not stats.HasField("last_updated")


async def test_a_publication_is_the_last_update(replica: CatalogReplica) -> None:
    await replica.api.reload_catalog(empty_pb2.Empty())
    stats = await replica.api.get_catalog_stats(empty_pb2.Empty(), make_call())
    assert (stats.total_apps, dict(stats.categories)) == (1, {"Tools": 1})
    assert stats.HasField("last_updated")


def test_an_app_of_two_sources_counts_once() -> None:
    again = replace(build(), id="acme.sample", source="acme")
    stats = get_catalog_stats(CatalogIndex([build(), again]))
    assert (stats.total_apps, stats.sources) == (1, ("acme", "builtin"))
