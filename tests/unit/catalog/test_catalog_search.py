"""Search: ranked, by prefix, forgiving; and quick with 2,000 items."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from services.catalog.commands import check_folder
from services.catalog.config import DATA
from services.catalog.domain.entities import Item
from services.catalog.domain.errors import CategoryNotFoundError, ItemNotFoundError
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter
from tests.unit.catalog.samples import build

ALL = ItemFilter()


@pytest.fixture(scope="module")
def index() -> CatalogIndex:
    return CatalogIndex(check_folder(DATA)[0])


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


def test_categories_are_found_in_any_case_and_unknown_ones_refused(index: CatalogIndex) -> None:
    ids = {item.id for item in index.list_category("dataBASES", ALL)}
    assert {"postgres", "redis", "mariadb"} <= ids
    assert index.categories["Databases"] == len(ids)
    with pytest.raises(CategoryNotFoundError, match="Nonsense"):
        index.list_category("Nonsense", ALL)
    with pytest.raises(ItemNotFoundError, match="nonsense"):
        index.get_item("nonsense")


def test_filters_leave_what_fits(index: CatalogIndex) -> None:
    small = index.list_items(ItemFilter(memory=128, architecture="arm", runtime="oci", source="builtin"))
    assert small
    assert all(
        i.resources.memory.minimum <= 128 and "arm" in i.architectures and "oci" in i.runtimes for i in small
    )
    assert index.list_items(ItemFilter(source="elsewhere")) == []


def test_the_etag_changes_with_any_revision(index: CatalogIndex) -> None:
    changed = [replace(index.items[0], revision="other"), *index.items[1:]]
    assert CatalogIndex(changed).etag != index.etag
    assert CatalogIndex(reversed(index.items)).etag == index.etag


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
