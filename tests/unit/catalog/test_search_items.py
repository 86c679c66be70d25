"""SearchItems: ranked, by prefix, tolerant of typing errors, filtered, and quick with 2,000 items."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.entities import Item
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import build

ALL = ItemFilter()


@pytest.fixture
def index(own_index: CatalogIndex) -> CatalogIndex:
    return own_index


def find(index: CatalogIndex, query: str) -> list[str]:
    return [item.id for item in index.search_items(query, ALL)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("nextcloud", "nextcloud"), ("NEXT", "nextcloud"), ("nextclod", "nextcloud"), ("nextlcoud", "nextcloud"),
        ("uptime kuma", "uptime-kuma"), ("uptimekuma", "uptime-kuma"), ("grafna", "grafana"), ("postgre", "postgres"),
        ("postgers", "postgres"), ("pihole", "pihole"), ("pi-hole", "pihole"), ("pi hole", "pihole"), ("git", "gitea"),
        ("vault", "vaultwarden"), ("bitwarden", "vaultwarden"), ("wiki", "wikijs"), ("n8n", "n8n"), ("jelly", "jellyfin"),
        ("word", "wordpress"), ("redis", "redis"), ("maria db", "mariadb"), ("valutwarden", "vaultwarden"),
    ],
)  # fmt: skip
def test_the_app_that_is_meant_comes_first(index: CatalogIndex, query: str, first: str) -> None:
    assert find(index, query)[0] == first


def test_a_hit_in_the_name_beats_the_tags_these_the_category_and_this_the_description() -> None:
    base = build()
    named = replace(base, id="a", name="Photos", tags=(), description="x")
    tagged = replace(base, id="b", name="Zeta", tags=("photos",), description="x")
    in_category = replace(base, id="c", name="Aaa", tags=(), description="x", category="Photos")
    described = replace(base, id="d", name="Alpha", tags=(), description="Photos, photos, photos")
    assert find(CatalogIndex([described, in_category, tagged, named]), "photos") == ["a", "b", "c", "d"]


def test_nothing_matches_nothing(index: CatalogIndex) -> None:
    assert find(index, "zzzzqqqqxxxx") == []
    assert find(index, "'; drop table items; --") == []


def test_an_empty_query_finds_everything(index: CatalogIndex) -> None:
    assert find(index, "") == find(index, "   ") == [item.id for item in index.entries]


def test_a_part_of_a_name_or_keyword_finds_it(index: CatalogIndex) -> None:
    assert "nextcloud" in find(index, "xtclou")
    assert {"gitea", "forgejo"} <= set(find(index, "positor"))


async def test_filters_apply_to_a_search(own: CatalogReplica) -> None:
    request = pb.SearchItemsRequest(
        q="database", runtime="oci", memory=256, architecture="arm64", source="builtin"
    )
    found = (await own.api.search_items(request, make_call())).message.applications
    assert found
    assert all("oci" in i.runtimes and i.min_memory <= 256 and "arm64" in i.architectures for i in found)
    elsewhere = pb.SearchItemsRequest(q="database", source="x")
    assert (await own.api.search_items(elsewhere, make_call())).message.total == 0


def test_two_thousand_items_are_searched_in_well_under_ten_milliseconds(index: CatalogIndex) -> None:
    items: list[Item] = []
    for number in range(2000):
        item = index.items[number % len(index.items)]
        words = f"{item.description} word{number} thing{number * 7}"
        items.append(replace(item, id=f"{item.id}-{number}", name=f"{item.name} {number}", description=words))
    large = CatalogIndex(items)
    queries = [
        "nextcloud",
        "nxtcloud",
        "data",
        "g",
        "databse server",
        "monitoring alerts",
        "zzzzzz",
        "word19",
        "a b c d e f",
        "home automation server with mqtt",
    ]
    times = []
    for query in queries * 25:
        started = time.process_time()
        large.search_items(query, ALL)
        times.append(time.process_time() - started)
    times.sort()
    assert times[int(len(times) * 0.99) - 1] < 0.01
