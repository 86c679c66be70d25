"""protobuf <-> domain: sources, rejections and reloads."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.domain.faults import Rejection
from services.catalog.domain.sources import (
    DEFAULT_REFRESH_HOURS,
    NewSource,
    Source,
    SourceChanges,
    SourceFormat,
)
from services.catalog.usecases.reload_catalog import Reloaded
from services.common.rpc.responses.rendered import render_time


def parse_new_source(request: pb.CreateSourceRequest) -> NewSource:
    """Return the source to register.

    Raises:
        InvalidSourceError: it cannot be one.
    """
    hours = request.refresh_hours if request.HasField("refresh_hours") else DEFAULT_REFRESH_HOURS
    return NewSource(request.name, request.location, SourceFormat(request.format), refresh_hours=hours)


def parse_source_changes(request: pb.UpdateSourceRequest) -> SourceChanges:
    """Return the changes of a source."""
    return SourceChanges(
        refresh_hours=request.refresh_hours if request.HasField("refresh_hours") else None,
        allow_host_needs=request.allow_host_needs if request.HasField("allow_host_needs") else None,
    )


def render_source(source: Source) -> item_pb2.Source:
    """Render a source."""
    # With 0 hours a source is fetched on request alone: a time from before would promise something else.
    next_fetch_at = source.next_fetch_at if source.refresh_hours else None
    return item_pb2.Source(
        id=source.id,
        name=source.name,
        location=source.location,
        format=source.format.value,
        status=source.status.value,
        item_count=source.item_count,
        rejected_count=source.rejected_count,
        created_at=render_time(source.created_at),
        refresh_hours=source.refresh_hours,
        allow_host_needs=source.allow_host_needs,
        error=source.error or None,
        next_fetch_at=render_time(next_fetch_at),
        last_fetched_at=render_time(source.last_fetched_at),
    )


def render_sources(sources: Sequence[Source]) -> pb.ListSourcesResponse:
    """Render a list of sources."""
    return pb.ListSourcesResponse(sources=[render_source(s) for s in sources], total=len(sources))


def render_rejections(rejected: Sequence[Rejection]) -> pb.ListRejectionsResponse:
    """Render rejections."""
    found = [item_pb2.Rejection(file=r.file, error=r.error) for r in rejected]
    return pb.ListRejectionsResponse(rejections=found, total=len(found))


def render_reloaded(result: Reloaded) -> pb.ReloadCatalogResponse:
    """Render the outcome of a reload."""
    rejected = f", {len(result.rejected)} files rejected" if result.rejected else ""
    return pb.ReloadCatalogResponse(
        success=True,
        message=f"Catalog reloaded: {result.total} apps{rejected}",
        total=result.total,
        rejected=[item_pb2.Rejection(file=r.file, error=r.error) for r in result.rejected],
    )
