"""Messages of AppsInternalService to domain values and back."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.domain.probe import find_target
from services.apps.usecases.delegated_operations import AppLock, DelegatedReport
from services.apps.usecases.probe_app import AppAnswer
from services.apps.usecases.restore_beside import BackedUpApp
from services.common.operations.model import DelegatedStep
from services.common.rpc.responses.rendered import render_time


def parse_backed_up(request: pb.RestoreBesideRequest) -> BackedUpApp:
    """Parse the backup that a new app is made of."""
    return BackedUpApp(
        app_id=request.source_app_id,
        archive=request.archive,
        made_by=request.made_by,
        host_id=request.host_id,
        vmid=request.vmid,
        owner_id=request.owner_id,
        node=request.node,
        target_host_id=request.target_host_id,
        target_archive=request.target_archive,
        archive_size=request.archive_size,
    )


def parse_report(request: pb.ReportOperationRequest) -> DelegatedReport:
    """Parse the progress of an operation of another service."""
    return DelegatedReport(
        progress=request.progress,
        step_index=request.step_index,
        step_count=request.step_count,
        worker=request.worker,
        attempt=request.attempt,
        step=request.step,
        level=request.level,
        message=request.message,
        waiting_for=request.waiting_for,
        delegated_step=_parse_step(request),
    )


def _parse_step(request: pb.ReportOperationRequest) -> DelegatedStep | None:
    """Parse the step that another service reports; None when it names none."""
    if not request.step:
        return None
    return DelegatedStep(
        position=request.step_index,
        name=request.step,
        description=request.step_description,
        # Backups of earlier releases reports no attempt.
        attempts=max(request.attempt, 1),
        upid=request.upid,
    )


def render_lock(lock: AppLock) -> pb.AppHold:
    """Render an app as other services need it."""
    app, operation = lock.app, lock.operation
    return pb.AppHold(
        app_id=app.id,
        name=app.name,
        hostname=app.hostname,
        status=lock.status,
        host_id=app.host_id,
        vmid=app.vmid or 0,
        node=app.node,
        owner_id=app.owner_id,
        adopted=app.adopted,
        operation_id=operation.id if operation else "",
        obstacle=lock.obstacle,
        port=app.port,
        runtime=app.runtime,
        storage=app.config.storage,
        created_at=render_time(app.created_at),
        probe=_render_target(app),
        settled_status=lock.settled_status,
    )


def _render_target(app: App) -> pb.AppProbeTarget | None:
    target = find_target(app)
    if not target.port or app.port is None:
        return None
    return pb.AppProbeTarget(scheme=target.scheme, port=target.port, path=target.path, grace_s=target.grace_s)


def render_answer(answer: AppAnswer) -> pb.ProbeAppResponse:
    """Render whether an app answers."""
    return pb.ProbeAppResponse(
        answered=answer.answered, port=answer.port, grace_s=answer.grace_s, message=answer.message
    )
