"""protobuf <-> domain: sources, rejections and reloads."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp
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
    message = item_pb2.Source(
        id=source.id,
        name=source.name,
        location=source.location,
        format=source.format.value,
        status=source.status.value,
        item_count=source.item_count,
        rejected_count=source.rejected_count,
        created_at=_render_time(source.created_at.timestamp()),
        refresh_hours=source.refresh_hours,
        allow_host_needs=source.allow_host_needs,
    )
    if source.error:
        message.error = source.error
    if source.next_fetch_at and source.refresh_hours:
        message.next_fetch_at.CopyFrom(_render_time(source.next_fetch_at.timestamp()))
    if source.last_fetched_at:
        message.last_fetched_at.CopyFrom(_render_time(source.last_fetched_at.timestamp()))
    return message


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


def _render_time(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(round(seconds * 1_000_000))
    return stamp
