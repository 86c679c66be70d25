"""Protobuf <-> domain: plans of restores."""

from __future__ import annotations

from proximity.inventory.v1 import restore_plan_pb2 as pb

from services.inventory.domain.restore_plans import ArchiveSource, RestorePlan
from services.inventory.usecases.plan_restore import PlanRequest


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
    )
