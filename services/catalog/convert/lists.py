"""protobuf <-> domain: filters and pages of lists, categories and counts."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.catalog.domain.search.catalog_index import ItemFilter, ItemPage
from services.catalog.usecases.items import CatalogStats
from services.common.core.errors import check_page


def parse_filter(
    request: pb.ListItemsRequest | pb.SearchItemsRequest | pb.ListCategoryItemsRequest,
) -> ItemFilter:
    """Return the filter of a list."""
    return ItemFilter(request.architecture, request.memory, request.runtime, request.source)


def parse_page(request: pb.ListItemsRequest) -> ItemPage:
    """Return the requested page.

    Raises:
        InvalidError: it names a page and an item to begin behind.
    """
    check_page(has_number=request.HasField("page"), after=request.after)
    return ItemPage(
        request.page if request.HasField("page") else None,
        request.per_page if request.HasField("per_page") else None,
        request.after,
    )


def render_categories(names: Sequence[str]) -> pb.ListCategoriesResponse:
    """Render the names of the categories."""
    return pb.ListCategoriesResponse(categories=names)


def render_stats(stats: CatalogStats) -> pb.CatalogStats:
    """Render the counts."""
    message = pb.CatalogStats(
        total_apps=stats.total_apps,
        total_categories=len(stats.categories),
        sources=stats.sources,
        categories=stats.categories,
    )
    if stats.last_updated:
        message.last_updated.FromDatetime(stats.last_updated)
    return message
