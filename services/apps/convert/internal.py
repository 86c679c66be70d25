"""protobuf <-> domain, for what other services ask of apps."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.usecases.probe_app import AppAnswer
from services.apps.usecases.restore_beside import BackedUpApp
from services.common.operations.delegated import DelegatedStep
from services.common.operations.view import Operation


def parse_backed_up(request: pb.RestoreBesideRequest) -> BackedUpApp:
    """The backup that a new app is made of."""
    return BackedUpApp(
        app_id=request.source_app_id,
        archive=request.archive,
        made_by=request.made_by,
        host_id=request.host_id,
        vmid=request.vmid,
        owner_id=request.owner_id,
    )


def parse_held_step(request: pb.ReportOperationRequest) -> DelegatedStep | None:
    """The step that another service reports; None when it names none."""
    if not request.step:
        return None
    return DelegatedStep(
        position=request.step_index,
        name=request.step,
        description=request.step_description,
        attempts=max(request.attempt, 1),
        upid=request.upid,
    )


def render_hold(app: App, operation: Operation | None, *, status: str = "") -> pb.AppHold:
    """An app as other services need it."""
    return pb.AppHold(
        app_id=app.id,
        name=app.name,
        hostname=app.hostname,
        status=status or app.status,
        host_id=app.host_id,
        vmid=app.vmid or 0,
        node=app.node,
        owner_id=app.owner_id,
        adopted=app.adopted,
        operation_id=operation.id if operation else "",
        port=app.port,
        runtime=app.runtime,
        storage=str(app.config.get("storage", "")),
    )


def render_answer(answer: AppAnswer) -> pb.ProbeAppResponse:
    """Whether an app answers."""
    return pb.ProbeAppResponse(
        answered=answer.answered, port=answer.port, grace_s=answer.grace_s, message=answer.message
    )
