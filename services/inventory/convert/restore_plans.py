"""Protobuf <-> domain: plans of restores."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from proximity.inventory.v1 import archive_plan_pb2 as plan_pb
from proximity.inventory.v1 import restore_plan_pb2 as pb

from services.common.rpc.responses.rendered import render_time
from services.inventory.domain.archive_plans import ArchiveSummary
from services.inventory.domain.restore_plans import ArchiveSource, PlanRequest, RestorePlan


def parse_plan_request(request: pb.PlanRestoreRequest) -> PlanRequest:
    """Parse a restore to plan."""
    source = ArchiveSource(
        host_id=request.source_host_id,
        volume_id=request.archive,
        backup_id=request.backup_id,
        size=request.size,
    )
    return PlanRequest(
        source=source,
        host_id=request.host_id,
        node=request.node,
        preferred=request.preferred_node,
        storage=request.storage,
        required_storage=request.required_storage,
        is_foreign=request.foreign,
    )


def parse_archive_plan_request(request: plan_pb.PlanArchiveRestoreRequest) -> PlanRequest:
    """Parse the deprecated request."""
    return PlanRequest(
        source=ArchiveSource(host_id=request.host_id, volume_id=request.archive),
        host_id=request.host_id,
        node=request.node,
        required_storage=request.storage,
        is_foreign=True,
    )


def render_plan(plan: RestorePlan) -> pb.RestorePlan:
    """Render where an archive can become a new container."""
    return pb.RestorePlan(
        host_id=plan.host_id,
        host_name=plan.host_name,
        node=plan.node,
        archive=plan.archive,
        storage=plan.storage,
        required=plan.required,
        free=plan.free,
        disks=[one.describe() for one in plan.disks],
        networks=plan.networks,
        warnings=plan.warnings,
        obstacles=plan.obstacles,
        archived=_render_container(plan.archived, required=plan.total_required) if plan.archived else None,
    )


def _render_container(archived: ArchiveSummary, *, required: float) -> pb.ArchivedContainer:
    return pb.ArchivedContainer(
        **{
            **dataclasses.asdict(archived),
            "created_at": render_time(datetime.fromtimestamp(archived.created_at, UTC)),
            "required": required,
        }
    )


def render_archive_plan(plan: RestorePlan) -> plan_pb.ArchiveRestorePlan:
    """Render the answer to the deprecated request."""
    archived = render_plan(plan).archived
    # Not `protected`, which no apps has used.
    names = (
        "size",
        "created_at",
        "vmid",
        "owner",
        "hostname",
        "architecture",
        "disk_gb",
        "required",
        "omitted",
    )
    return plan_pb.ArchiveRestorePlan(
        node=plan.node, storage=plan.storage, **{name: getattr(archived, name) for name in names}
    )
