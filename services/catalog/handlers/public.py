"""CatalogService: items, their pictures, and the sources that an administrator registers."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import Callable

from google.api import httpbody_pb2
from google.protobuf import empty_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.convert.deployments import parse_preview, render_preview
from services.catalog.convert.items import ItemMessages
from services.catalog.convert.lists import parse_filter, parse_page, render_categories, render_stats
from services.catalog.convert.sources import (
    parse_new_source,
    parse_source_changes,
    render_rejections,
    render_reloaded,
    render_source,
    render_sources,
)
from services.catalog.domain.host_permissions import HostPermissions
from services.catalog.domain.interfaces import (
    CatalogStore,
    OwnItemFiles,
    PictureStore,
    PublishedCatalog,
    SourceStore,
)
from services.catalog.domain.pictures import Picture
from services.catalog.domain.search.catalog_index import ItemPage
from services.catalog.handlers.rendered_items import RenderedItems, answer_unless_known, name_content
from services.catalog.usecases import items, sources
from services.catalog.usecases.get_item_icon import get_item_icon
from services.catalog.usecases.get_item_screenshot import get_item_screenshot
from services.catalog.usecases.items import ItemList
from services.catalog.usecases.preview_item import preview_item
from services.catalog.usecases.reload_catalog import reload_catalog
from services.clients.apps.interface import Deployments
from services.common.core.clock import Clock, now
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Rendered

_FILE_AGE = 86_400  # seconds, a day: icons, screenshots and the schema change with a release or a fetch
_SOURCES = "/api/catalog/sources"


class CatalogHandlers:
    """CatalogService.

    Args:
        catalog: published items, in memory.
        store: published items, in the database.
        sources: registered sources.
        pictures: icons and screenshots of imported items.
        files: item files of this installation.
        deployments: the service of apps.
        messages: items as clients get them, prepared at each refresh of `catalog`.
        wake: called after changes that put messages into the outbox.
        permissions: of items to use the host.
    """

    def __init__(
        self,
        *,
        catalog: PublishedCatalog,
        store: CatalogStore,
        sources: SourceStore,
        pictures: PictureStore,
        files: OwnItemFiles,
        deployments: Deployments,
        messages: ItemMessages,
        wake: Callable[[], None],
        permissions: HostPermissions,
        clock: Clock = now,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._sources = sources
        self._pictures = pictures
        self._files = files
        self._deployments = deployments
        self._rendered = RenderedItems(messages)
        self._wake = wake
        self._permissions = permissions
        self._clock = clock

    async def list_items(self, request: pb.ListItemsRequest, call: Call) -> Rendered[pb.ListItemsResponse]:
        index, page = self._catalog.index, parse_page(request)
        found = items.list_items(index, parse_filter(request), page=page)
        _add_links(call, page, found=found)
        return self._rendered.answer_list(request, call, state=index.etag, find=lambda: found)

    async def get_item(self, request: pb.GetItemRequest, call: Call) -> Rendered[item_pb2.Item]:
        return self._rendered.answer_item(await items.get_item(self._catalog, request.app_id), call)

    async def search_items(
        self, request: pb.SearchItemsRequest, call: Call
    ) -> Rendered[pb.ListItemsResponse]:
        index = self._catalog.index
        return self._rendered.answer_list(
            request,
            call,
            state=index.etag,
            find=lambda: items.search_items(index, request.q, wanted=parse_filter(request)),
        )

    async def list_category_items(
        self, request: pb.ListCategoryItemsRequest, call: Call
    ) -> Rendered[pb.ListItemsResponse]:
        index = self._catalog.index
        found = items.list_category_items(index, request.category, wanted=parse_filter(request))
        return self._rendered.answer_list(request, call, state=index.etag, find=lambda: found)

    async def list_categories(self, _: empty_pb2.Empty, call: Call) -> pb.ListCategoriesResponse:
        index = self._catalog.index
        message = render_categories(items.list_categories(index))
        return self._rendered.answer_facts(message, call, state=index.etag)

    async def get_catalog_stats(self, _: empty_pb2.Empty, call: Call) -> pb.CatalogStats:
        index = self._catalog.index
        message = render_stats(items.get_catalog_stats(index))
        return self._rendered.answer_facts(message, call, state=index.etag)

    async def reload_catalog(self, _: empty_pb2.Empty) -> pb.ReloadCatalogResponse:
        result = await reload_catalog(self._catalog, self._store, files=self._files)
        self._wake()
        return render_reloaded(result)

    async def preview_item(self, request: pb.PreviewItemRequest, call: Call) -> pb.PreviewItemResponse:
        wanted = parse_preview(request)
        preview = await preview_item(
            self._catalog,
            self._deployments,
            wanted=wanted,
            user=call.caller.user,
            permissions=self._permissions,
        )
        return render_preview(*preview)

    async def get_item_icon(self, request: pb.GetItemIconRequest, call: Call) -> httpbody_pb2.HttpBody:
        icon = await get_item_icon(
            self._catalog, self._files, item_id=request.app_id, pictures=self._pictures
        )
        return _answer_picture(icon, call)

    async def get_item_screenshot(
        self, request: pb.GetItemScreenshotRequest, call: Call
    ) -> httpbody_pb2.HttpBody:
        screenshot = await get_item_screenshot(
            self._catalog, self._pictures, item_id=request.app_id, number=request.number
        )
        return _answer_picture(screenshot, call)

    async def get_item_schema(self, _: empty_pb2.Empty, call: Call) -> httpbody_pb2.HttpBody:
        schema = items.get_item_schema(self._files)
        return _answer_file("application/schema+json", schema, call=call)

    async def list_sources(self, _: empty_pb2.Empty) -> pb.ListSourcesResponse:
        return render_sources(await sources.list_sources(self._catalog, self._sources))

    async def create_source(self, request: pb.CreateSourceRequest, call: Call) -> item_pb2.Source:
        source = await sources.create_source(self._sources, parse_new_source(request))
        self._wake()
        call.add_location(_SOURCES)
        return render_source(source)

    async def update_source(self, request: pb.UpdateSourceRequest) -> item_pb2.Source:
        changes = parse_source_changes(request)
        return render_source(await sources.update_source(self._sources, request.source_id, changes=changes))

    async def refresh_source(self, request: pb.RefreshSourceRequest, call: Call) -> item_pb2.Source:
        source = await sources.refresh_source(self._sources, request.source_id, now=self._clock())
        self._wake()
        call.add_location(_SOURCES)
        return render_source(source)

    async def list_rejections(self, request: pb.ListRejectionsRequest) -> pb.ListRejectionsResponse:
        rejections = await sources.list_rejections(self._store, self._sources, source_id=request.source_id)
        return render_rejections(rejections)

    async def delete_source(self, request: pb.DeleteSourceRequest) -> empty_pb2.Empty:
        await sources.delete_source(self._catalog, self._sources, source_id=request.source_id)
        self._wake()
        return empty_pb2.Empty()


def _add_links(call: Call, page: ItemPage, *, found: ItemList) -> None:
    """Name the other pages of a list, where the request is for one page."""
    if not page.is_whole:
        number, size = page.resolve()
        last = found.items[-1].id if found.items else ""
        call.add_list_links(
            page=number, per_page=size, total=found.total, after=page.after, last=last, count=len(found.items)
        )


def _answer_picture(picture: Picture, call: Call) -> httpbody_pb2.HttpBody:
    """Return a picture; the gateway's policy lets a browser run and load nothing from it."""
    return _answer_file(picture.content_type, picture.content, call=call)


def _answer_file(content_type: str, content: bytes, *, call: Call) -> httpbody_pb2.HttpBody:
    body = httpbody_pb2.HttpBody(content_type=content_type, data=content)
    return answer_unless_known(body, call, state=name_content(content), max_age=_FILE_AGE)
