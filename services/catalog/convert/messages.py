"""protobuf <-> domain."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.convert.items import render_input, render_port, render_probe, render_volume
from services.catalog.domain.entities import Item
from services.catalog.domain.faults import Rejection
from services.catalog.domain.interfaces import PlannedDeployment, WantedDeployment
from services.catalog.domain.renderer.rendered_definition import RenderedDefinition, is_direct
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.revisions import RevisionChanges
from services.catalog.domain.search.catalog_index import ItemFilter, ItemPage
from services.catalog.domain.sources import DEFAULT_REFRESH_HOURS, NewSource, Source, SourceFormat
from services.catalog.usecases.items import CatalogStats, Reloaded


def parse_filter(
    request: pb.ListItemsRequest | pb.SearchItemsRequest | pb.ListCategoryItemsRequest,
) -> ItemFilter:
    """Return the filter of a list."""
    return ItemFilter(request.architecture, request.memory, request.runtime, request.source)


def parse_page(request: pb.ListItemsRequest) -> ItemPage:
    """Return the page that is asked for."""
    return ItemPage(
        request.page if request.HasField("page") else None,
        request.per_page if request.HasField("per_page") else None,
    )


def parse_preview(request: pb.PreviewItemRequest) -> WantedDeployment:
    """Return the deployment to preview; `runtime` beside `config` is the older way to say config.runtime."""
    config = json_format.MessageToDict(request.config)
    if request.HasField("runtime"):
        config.setdefault("runtime", request.runtime)
    return WantedDeployment(
        item_id=request.app_id,
        hostname=request.hostname,
        config=config,
        environment=dict(request.environment),
        node=request.node,
        host_id=request.host_id if request.HasField("host_id") else None,
    )


def parse_render(request: pb.RenderItemRequest) -> RenderRequest:
    """Return what to render."""
    return RenderRequest(
        runtime=request.runtime,
        project=request.project,
        hostname=request.hostname,
        public_port=request.public_port,
        environment=dict(request.environment),
        generated=dict(request.generated),
        image=request.image,
        port=request.port,
        secret=dict(request.secret),
        refers_to_host=request.refer_to_host,
    )


def parse_new_source(request: pb.CreateSourceRequest) -> NewSource:
    """Return the source to register.

    Raises:
        InvalidSourceError: it cannot be one.
    """
    hours = request.refresh_hours if request.HasField("refresh_hours") else DEFAULT_REFRESH_HOURS
    return NewSource(request.name, request.location, SourceFormat(request.format), refresh_hours=hours)


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


def render_reloaded(result: Reloaded) -> pb.ReloadCatalogResponse:
    """Render the outcome of a reload."""
    rejected = f", {len(result.rejected)} files rejected" if result.rejected else ""
    return pb.ReloadCatalogResponse(
        success=True,
        message=f"Catalog reloaded: {result.total} apps{rejected}",
        total=result.total,
        rejected=[item_pb2.Rejection(file=r.file, error=r.error) for r in result.rejected],
    )


def render_preview(rendered: RenderedDefinition, plan: PlannedDeployment) -> pb.PreviewItemResponse:
    """Render what would run, on what, and where."""
    return pb.PreviewItemResponse(
        docker_compose=rendered.compose_yaml,
        environment=rendered.environment,
        images=rendered.images,
        memory=plan.memory,
        cores=plan.cores,
        disk=plan.disk_size,
        swap=plan.swap,
        ports=[render_port(port) for port in rendered.ports],
        runtime=rendered.runtime,
        runtime_message=plan.runtime_reason,
        volumes=[render_volume(volume) for volume in rendered.item.volumes],
        host_id=plan.host_id,
        node=plan.node or None,
        placement_message=plan.placement_message,
        revision=rendered.item.revision,
        version=rendered.item.version,
    )


def render_rendering(rendered: RenderedDefinition) -> pb.Rendering:
    """Render what to run."""
    item, oci, main = rendered.item, rendered.oci, rendered.main_port
    message = pb.Rendering(
        catalog_id=item.id,
        revision=item.revision,
        version=item.version,
        name=item.name,
        runtimes=[rendered.runtime, *(r for r in item.runtimes if r != rendered.runtime)],
        docker_compose=rendered.compose_yaml,
        environment=rendered.environment,
        secret_names=sorted(rendered.secrets),
        generated=rendered.generated,
        inputs=rendered.inputs,
        images=rendered.images,
        min_memory=round(item.resources.memory.minimum),
        min_cpu=item.resources.cpu.minimum,
        min_disk=round(item.resources.disk.minimum),
        internal_port=main.container if main else 0,
        port_published=oci is None and main is not None and not is_direct(item, main),
        volumes=[render_volume(volume) for volume in item.volumes],
        image=oci.image if oci else "",
        entrypoint=shlex.join(oci.entrypoint) if oci else "",
        command=shlex.join(oci.command) if oci else "",
    )
    if probe := render_probe(item.probe, main):
        message.probe.CopyFrom(probe)
    if known := item.credentials:
        message.credentials.username, message.credentials.password = known.username, known.password
        message.credentials.change = known.change
    return message


def render_changes(changes: RevisionChanges) -> pb.RevisionChanges:
    """Render what changes between two revisions."""
    return pb.RevisionChanges(
        revision=changes.item.revision,
        version=changes.item.version,
        from_version=changes.from_version,
        images=[
            item_pb2.ImageChange(service=change.service, before=change.before, after=change.after)
            for change in changes.images
        ],
        inputs=[render_input(one) for one in changes.item.inputs],
        added_inputs=changes.added_inputs,
        removed_inputs=changes.removed_inputs,
        notes=changes.notes,
        release_notes_url=changes.release_notes_url or None,
        release_notes=changes.item.release_notes,
    )


def render_rejections(rejected: Sequence[Rejection]) -> pb.ListRejectionsResponse:
    """Render what was left out, and why."""
    found = [item_pb2.Rejection(file=r.file, error=r.error) for r in rejected]
    return pb.ListRejectionsResponse(rejections=found, total=len(found))


def render_revisions(items: Sequence[Item]) -> pb.ListRevisionsResponse:
    """Render the newest revisions of items."""
    revisions = [pb.ItemRevision(app_id=i.id, revision=i.revision, version=i.version) for i in items]
    return pb.ListRevisionsResponse(revisions=revisions)


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


def _render_time(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(round(seconds * 1_000_000))
    return stamp
