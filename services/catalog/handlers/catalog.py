"""One method per RPC: parse, call one function, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from pathlib import Path

from google.api import httpbody_pb2
from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.convert import messages as convert
from services.catalog.convert.items import FULL, ItemMessages
from services.catalog.domain.entities import OWN_SOURCE, Item
from services.catalog.domain.interfaces import CatalogStore, Deployments, PictureStore, SourceStore
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.pictures import Picture
from services.catalog.sources.own_files import OwnPictures, name_content, read_item_files, read_schema
from services.catalog.store.published_catalog import CatalogHolder
from services.catalog.usecases import items as usecases
from services.catalog.usecases.get_item_icon import get_item_icon
from services.catalog.usecases.get_item_screenshot import get_item_screenshot
from services.catalog.usecases.preview_item import preview_item
from services.common.core.clock import Clock, now
from services.common.rpc.call import Call
from services.common.rpc.responses.cache import MIB, VersionedLruCache
from services.common.rpc.responses.rendered import Rendered

_ICON_S = 86_400
_NOTHING = Rendered(pb.ListItemsResponse, b"")
_NO_ITEM = Rendered(item_pb2.Item, b"")
_Request = pb.ListItemsRequest | pb.SearchItemsRequest | pb.ListCategoryItemsRequest


class CatalogHandlers:
    """CatalogService.

    Args:
        wake: says that there is something to publish.
    """

    def __init__(
        self,
        holder: CatalogHolder,
        catalog: CatalogStore,
        sources: SourceStore,
        *,
        pictures: PictureStore,
        deployments: Deployments,
        wake: Callable[[], None],
        data: Path,
        clock: Clock = now,
    ) -> None:
        self._holder = holder
        self._catalog = catalog
        self._sources = sources
        self._pictures = OwnPictures(data, pictures)
        self._deployments = deployments
        self._wake = wake
        self._data = data
        self._clock = clock
        self._items = ItemMessages()
        self._kept: VersionedLruCache[Hashable] = VersionedLruCache(8 * MIB)
        holder.on_refresh(self._items.prepare)

    async def list_items(self, request: pb.ListItemsRequest, call: Call) -> Rendered[pb.ListItemsResponse]:
        index = self._holder.index
        if call.has_state(self._items.name_state(index.etag)):
            return _NOTHING
        page = convert.parse_page(request)
        total, items = usecases.list_items(index, convert.parse_filter(request), page=page)
        if not page.is_whole:
            number, size = page.resolve()
            call.add_page_links(page=number, per_page=size, total=total)
        return self._render_once(request, call, lambda: (items, total))

    async def get_item(self, request: pb.GetItemRequest, call: Call) -> Rendered[item_pb2.Item]:
        item = usecases.get_item(await self._holder.find_index(request.app_id), request.app_id)
        if call.has_state(self._items.name_state(item.state)):
            return _NO_ITEM
        return Rendered(item_pb2.Item, self._items.render(item, call.form))

    async def search_items(
        self, request: pb.SearchItemsRequest, call: Call
    ) -> Rendered[pb.ListItemsResponse]:
        index = self._holder.index
        if call.has_state(self._items.name_state(index.etag)):
            return _NOTHING

        def search() -> tuple[Sequence[Item], int]:
            found = usecases.search_items(index, request.q, convert.parse_filter(request))
            return found, len(found)

        return self._render_once(request, call, search)

    async def list_category_items(
        self, request: pb.ListCategoryItemsRequest, call: Call
    ) -> Rendered[pb.ListItemsResponse]:
        index = self._holder.index
        items = usecases.list_category_items(index, request.category, convert.parse_filter(request))
        if call.has_state(self._items.name_state(index.etag)):
            return _NOTHING
        return self._render_once(request, call, lambda: (items, len(items)))

    def _render_once(
        self, request: _Request, call: Call, answer: Callable[[], tuple[Sequence[Item], int]]
    ) -> Rendered[pb.ListItemsResponse]:
        """The answer to a request, which is the same until something is published."""
        key = (type(request), request.SerializeToString(deterministic=True), call.form)
        state = self._items.name_state(self._holder.index.etag)
        kept = self._kept.find(key, state)
        if kept is None:
            items, total = answer()
            kept = self._kept.keep(
                key, state, self._items.render_list(items, total, form=call.form, view=request.view or FULL)
            )
        return Rendered(pb.ListItemsResponse, kept)

    async def list_categories(self, _: empty_pb2.Empty, call: Call) -> pb.ListCategoriesResponse:
        index = self._holder.index
        if call.has_state(self._items.name_state(index.etag)):
            return pb.ListCategoriesResponse()
        return pb.ListCategoriesResponse(categories=usecases.list_categories(index))

    async def get_catalog_stats(self, _: empty_pb2.Empty, call: Call) -> pb.CatalogStats:
        index = self._holder.index
        if call.has_state(self._items.name_state(index.etag)):
            return pb.CatalogStats()
        return convert.render_stats(usecases.get_catalog_stats(index))

    async def reload_catalog(self, _: empty_pb2.Empty) -> pb.ReloadCatalogResponse:
        result = await reload_files(self._catalog, self._data)
        self._wake()
        await self._holder.refresh()
        return convert.render_reloaded(result)

    async def preview_item(self, request: pb.PreviewItemRequest, call: Call) -> pb.PreviewItemResponse:
        wanted = convert.parse_preview(request)
        index = await self._holder.find_index(request.app_id)
        shown = await preview_item(index, self._deployments, wanted, user=call.caller.user)
        return convert.render_preview(*shown)

    async def get_item_icon(self, request: pb.GetItemIconRequest, call: Call) -> httpbody_pb2.HttpBody:
        index = await self._holder.find_index(request.app_id)
        return _answer_picture(await get_item_icon(index, self._pictures, request.app_id), call)

    async def get_item_screenshot(
        self, request: pb.GetItemScreenshotRequest, call: Call
    ) -> httpbody_pb2.HttpBody:
        index = await self._holder.find_index(request.app_id)
        found = await get_item_screenshot(index, self._pictures, request.app_id, number=request.number)
        return _answer_picture(found, call)

    async def get_item_schema(self, _: empty_pb2.Empty, call: Call) -> httpbody_pb2.HttpBody:
        content = read_schema()
        if call.has_state(name_content(content), max_age=_ICON_S):
            return httpbody_pb2.HttpBody()
        return httpbody_pb2.HttpBody(content_type="application/schema+json", data=content)

    async def list_sources(self, _: empty_pb2.Empty) -> pb.ListSourcesResponse:
        found = await usecases.list_sources(self._sources)
        await self._holder.refresh()  # a source is shown as published only where its items answer
        return convert.render_sources(found)

    async def create_source(self, request: pb.CreateSourceRequest, call: Call) -> item_pb2.Source:
        source = convert.parse_new_source(request)
        registered = await usecases.create_source(self._sources, source)
        self._wake()
        call.add_location("/api/catalog/sources")
        return convert.render_source(registered)

    async def refresh_source(self, request: pb.RefreshSourceRequest, call: Call) -> item_pb2.Source:
        source = await usecases.refresh_source(self._sources, request.source_id, now=self._clock())
        self._wake()
        call.add_location("/api/catalog/sources")
        return convert.render_source(source)

    async def list_rejections(self, request: pb.ListRejectionsRequest) -> pb.ListRejectionsResponse:
        found = await usecases.list_rejections(self._catalog, self._sources, request.source_id)
        return convert.render_rejections(found)

    async def delete_source(self, request: pb.DeleteSourceRequest) -> empty_pb2.Empty:
        await usecases.delete_source(self._sources, request.source_id)
        self._wake()
        await self._holder.refresh()
        return empty_pb2.Empty()


class CatalogInternalHandlers:
    """CatalogInternalService."""

    def __init__(
        self, holder: CatalogHolder, catalog: CatalogStore, *, host_needs: Collection[str] = ()
    ) -> None:
        self._holder = holder
        self._catalog = catalog
        self._host_needs = frozenset(host_needs)

    async def render_item(self, request: pb.RenderItemRequest) -> pb.Rendering:
        wanted = convert.parse_render(request)
        rendered = await usecases.render_item(
            await self._holder.find_index(request.app_id),
            self._catalog,
            request.app_id,
            revision=request.revision,
            request=wanted,
            from_revision=request.from_revision,
            host_needs=self._host_needs,
        )
        return convert.render_rendering(rendered)

    async def compare_revisions(self, request: pb.CompareRevisionsRequest) -> pb.RevisionChanges:
        changes = await usecases.compare_revisions(
            self._holder.index,
            self._catalog,
            request.app_id,
            from_revision=request.from_revision,
            revision=request.revision,
        )
        return convert.render_changes(changes)

    async def list_revisions(self, request: pb.ListRevisionsRequest) -> pb.ListRevisionsResponse:
        await self._holder.refresh()  # who heard of a publication may ask before this replica has heard of it
        return convert.render_revisions(usecases.list_revisions(self._holder.index, request.app_ids))


def _answer_picture(picture: Picture, call: Call) -> httpbody_pb2.HttpBody:
    """Return a picture to keep for a day; the gateway's policy lets it run and load nothing."""
    if call.has_state(name_content(picture.content), max_age=_ICON_S):
        return httpbody_pb2.HttpBody()
    return httpbody_pb2.HttpBody(content_type=picture.content_type, data=picture.content)


async def reload_files(catalog: CatalogStore, data: Path) -> usecases.Reloaded:
    """Read our own files and publish them; the reading happens beside the event loop."""
    loaded = await asyncio.to_thread(lambda: load_items(read_item_files(data), source=OWN_SOURCE))
    return await usecases.reload_catalog(catalog, loaded)
