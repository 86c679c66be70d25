"""Messages of PlanDeployment, to domain values and back."""

from __future__ import annotations

from google.protobuf import json_format
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.config import parse_config
from services.apps.domain.deployment import NewApp
from services.apps.usecases.plan_deployment import DeploymentPlan
from services.common.identity.tokens import User


def parse_plan_request(request: pb.PlanDeploymentRequest, user: User | None) -> NewApp:
    """Return the deployment to plan; its app has no id, so that nothing is reserved for it.

    Raises:
        InvalidError: `config` is not valid.
    """
    return NewApp(
        id="",
        owner_id=user.id if user else 0,
        any_network=bool(user and user.is_admin),
        catalog_id=request.catalog_id,
        hostname=request.hostname,
        name="",
        config=parse_config(json_format.MessageToDict(request.config)),
        environment=dict(request.environment),
        node=request.node,
        host_id=request.host_id if request.HasField("host_id") else None,
    )


def render_plan(plan: DeploymentPlan) -> pb.DeploymentPlan:
    """Render what a deployment would choose."""
    return pb.DeploymentPlan(
        runtime=plan.runtime,
        runtime_reason=plan.runtime_reason,
        memory=plan.resources.memory,
        cores=plan.resources.cores,
        disk_size=plan.resources.disk_size,
        swap=plan.resources.swap,
        host_id=plan.host_id,
        node=plan.node,
        placement_message=plan.placement_message,
        warnings=plan.warnings,
        obstacles=plan.obstacles,
    )
