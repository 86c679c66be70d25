"""ListItems: all entries by name, pages of them, and filters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter, ItemPage
from services.catalog.usecases.items import list_items
from services.common.core.errors import InvalidError
from tests.fakes.catalog_replica import CatalogReplica, make_call


async def test_all_items_are_listed_by_name(own: CatalogReplica) -> None:
    answer = (await own.api.list_items(pb.ListItemsRequest(), make_call())).message
    assert answer.total == len(answer.applications) >= 60
    names = [item.name.casefold() for item in answer.applications]
    assert names == sorted(names)


async def test_a_page_is_a_part_of_the_list_and_names_the_other_pages(own: CatalogReplica) -> None:
    everything = (await own.api.list_items(pb.ListItemsRequest(), make_call())).message
    call = make_call(x_envoy_original_path="/api/catalog?page=2&per_page=10")
    second = (await own.api.list_items(pb.ListItemsRequest(page=2, per_page=10), call)).message
    assert [i.id for i in second.applications] == [i.id for i in everything.applications[10:20]]
    assert second.total == everything.total
    assert 'page=1&per_page=10>; rel="prev"' in dict(call.headers)["link"]
    beyond = (await own.api.list_items(pb.ListItemsRequest(page=99), make_call())).message
    assert (list(beyond.applications), beyond.total) == ([], everything.total)


async def test_a_page_begins_behind_an_item_wherever_that_is_by_now(own: CatalogReplica) -> None:
    everything = (await own.api.list_items(pb.ListItemsRequest(), make_call())).message
    ids = [item.id for item in everything.applications]
    call = make_call(x_envoy_original_path=f"/api/catalog?after={ids[9]}&per_page=10")
    second = (await own.api.list_items(pb.ListItemsRequest(after=ids[9], per_page=10), call)).message
    assert [item.id for item in second.applications] == ids[10:20]
    assert second.total == everything.total
    assert f"after={ids[19]}" in dict(call.headers)["link"]
    rest = (await own.api.list_items(pb.ListItemsRequest(after=ids[-1]), make_call())).message
    assert list(rest.applications) == []


def test_an_item_that_a_filter_leaves_out_has_its_place_all_the_same(own_index: CatalogIndex) -> None:
    small = ItemFilter(memory=128)
    found = list_items(own_index, small, page=ItemPage()).items
    larger = next(item for item in own_index.items[1:] if item not in found)
    behind = list_items(own_index, small, page=ItemPage(size=100, after=larger.id))
    position = own_index.items.index(larger)
    assert behind.items == [item for item in own_index.items[position:] if item in found]
    assert behind.total == len(found)


@pytest.mark.parametrize(
    "request_", [pb.ListItemsRequest(after="nothing"), pb.ListItemsRequest(page=1, after="x")]
)
async def test_a_page_begins_behind_one_item_that_there_is(
    own: CatalogReplica, request_: pb.ListItemsRequest
) -> None:
    with pytest.raises(InvalidError) as refused:
        await own.api.list_items(request_, make_call())
    assert [each.field for each in refused.value.violations] == ["after"]


def test_filters_leave_the_items_that_pass_all_of_them(own_index: CatalogIndex) -> None:
    wanted = ItemFilter(memory=128, architecture="arm", runtime="oci", source="builtin")
    small = list_items(own_index, wanted, page=ItemPage()).items
    assert small
    assert all(
        i.resources.memory.minimum <= 128 and "arm" in i.architectures and "oci" in i.runtimes for i in small
    )
    assert list_items(own_index, ItemFilter(source="elsewhere"), page=ItemPage()).total == 0


def test_the_etag_changes_with_any_revision(own_index: CatalogIndex) -> None:
    changed = [replace(own_index.items[0], revision="other"), *own_index.items[1:]]
    assert CatalogIndex(changed).etag != own_index.etag
    assert CatalogIndex(reversed(own_index.items)).etag == own_index.etag


async def test_the_summary_leaves_out_details(own: CatalogReplica) -> None:
    request = pb.ListItemsRequest(view="summary", page=1, per_page=1)
    (item,) = (await own.api.list_items(request, make_call())).message.applications
    assert item.name
    assert (item.docker_compose, list(item.inputs)) == ("", [])
