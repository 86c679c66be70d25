"""Messages of AppsService to domain values and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Protocol

from google.protobuf import json_format
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.app_checks import can_roll_back
from services.apps.domain.config import parse_config
from services.apps.domain.credentials import find_credentials
from services.apps.domain.deployment import NewApp
from services.apps.domain.entities import STABLE, App, AppDetails, AppEvent, AppFilter
from services.apps.domain.pace import measure_pace
from services.apps.domain.resources import ResourceChanges
from services.apps.domain.stamps import OperationFilter
from services.apps.domain.values import ValueChanges, list_masked
from services.apps.usecases.delete_app import Deletion
from services.apps.usecases.update_app import RequestedChanges
from services.clients.catalog.values import ItemRevision
from services.clients.inventory.values import Container
from services.common.core.errors import check_page
from services.common.identity.tokens import User
from services.common.operations.model import Operation
from services.common.rpc.handlers import parse_patch
from services.common.rpc.responses.rendered import render_operation, render_time

DEFAULT_PER_PAGE = 20  # of lists whose request names no number; the contract says so


def render_deletion(deletion: Deletion) -> pb.DeleteAppResponse:
    """Render what is deleted with an app and what stays."""
    return pb.DeleteAppResponse(
        id=deletion.app.id,
        status="removing",
        message=deletion.message,
        operation_id=deletion.operation_id,
        backups_kept=deletion.backups_kept,
        backups_deleted=deletion.backups_deleted,
    )


def parse_page(request: Any) -> tuple[int, int]:
    """Parse the number of a page, from 1, and how many entries a page has.

    Raises:
        InvalidError: it names an entry to begin behind, too.
    """
    check_page(has_number=request.HasField("page"), after=getattr(request, "after", ""))
    return request.page or 1, request.per_page or DEFAULT_PER_PAGE


def parse_operation_filter(
    request: pb.ListAllOperationsRequest, *, owner_filter: int | None
) -> OperationFilter:
    """Parse which operations are requested; a user's filter leaves those on the apps of others out."""
    return OperationFilter(
        owner_id=owner_filter,
        status=request.status,
        kind=request.kind,
        app_id=request.app_id,
        since=request.since.ToDatetime(UTC) if request.HasField("since") else None,
    )


def parse_filter(request: pb.ListAppsRequest) -> AppFilter:
    """Parse which apps are requested."""
    return AppFilter(
        owner_id=request.owner if request.HasField("owner") else None,
        status=request.status if request.HasField("status") else None,
        search=request.search,
        host_id=request.host_id if request.HasField("host_id") else None,
    )


def parse_new_app(request: pb.DeployAppRequest, *, request_id: str, user: User) -> NewApp:
    """Parse the app that a deployment requests.

    Raises:
        InvalidError: `config` is not valid.
    """
    return NewApp(
        # From the id of the request: a repetition finds the app that the first request made.
        id=f"{request.catalog_id}-{request_id[:8]}",
        owner_id=user.id,
        any_network=user.is_admin,
        catalog_id=request.catalog_id,
        hostname=request.hostname,
        name=request.name,
        config=parse_config(json_format.MessageToDict(request.config)),
        environment=dict(request.environment),
        secret=dict(request.secret),
        node=request.node,
        host_id=request.host_id if request.HasField("host_id") else None,
        network_cidr=request.network_cidr,
    )


def parse_changes(request: pb.UpdateAppRequest | pb.UpgradeAppRequest) -> ValueChanges:
    """Parse the changes of values that a request names."""
    return ValueChanges(
        environment=dict(request.environment), unset=tuple(request.unset), secret=dict(request.secret)
    )


def parse_app_changes(request: pb.UpdateAppRequest) -> RequestedChanges:
    """Parse the changes of an app that a request names."""
    return RequestedChanges(
        details=parse_patch(request, AppDetails),
        resources=parse_patch(request, ResourceChanges, names={"disk_size": "disk"}),
        values=parse_changes(request),
    )


def render_app(app: App, *, update: ItemRevision | None = None, icon: str = "") -> app_pb2.App:
    """Render an app without metrics, with the newer revision if there is one, and the path of its icon."""
    message = app_pb2.App(
        id=app.id,
        catalog_id=app.catalog_id,
        name=app.name,
        hostname=app.hostname,
        status=app.status,
        url=app.url or None,
        # Clients of the Django platform read this field.
        iframe_url=app.page_url or None,
        public_port=app.public_port,
        internal_port=app.internal_port,
        lxc_id=app.vmid,
        node=app.node,
        node_name=app.node,
        host_id=app.host_id,
        owner_id=app.owner_id,
        environment=app.visible_environment,
        masked=list_masked(app),
        runtime=app.runtime,
        created_at=render_time(app.created_at),
        updated_at=render_time(app.updated_at),
        state_changed_at=render_time(app.state_changed_at),
        error=app.error or None,
        revision=app.revision or None,
        adopted=app.adopted,
        icon=icon,
        can_rollback=can_roll_back(app),
        conditions=[
            app_pb2.Condition(type=item.type, message=item.message, since=render_time(item.since))
            for item in app.list_conditions()
        ],
    )
    message.config.update(app.config.to_json())
    if known := find_credentials(app):
        message.credentials.CopyFrom(
            app_pb2.AppCredentials(
                username=known.username or None,
                password=known.password or None,
                change=known.change or None,
                names=known.names,
            )
        )
    if app.last_backup is not None:
        message.last_backup.id = app.last_backup.id or 0
        message.last_backup.external = app.last_backup.id is None
        message.last_backup.storage = app.last_backup.storage
        message.last_backup.completed_at.CopyFrom(render_time(app.last_backup.completed_at))
    if update is not None:
        message.update.revision, message.update.version = update.revision, update.version
    return message


def add_metrics(message: app_pb2.App, live: Container | None) -> None:
    """Add the metrics of a container that runs, and the node that it is on now."""
    if live is not None and live.status == "running":
        # The HA manager may have moved the container since the last reconciliation.
        message.node = message.node_name = live.node or message.node
        message.cpu_usage = round(live.cpu_usage * 100, 2)
        message.memory_used, message.memory_total = live.memory_used, live.memory
        message.disk_used, message.disk_total = live.disk_used, live.disk


class StatusSource(Protocol):
    """Values that the status of an app is rendered of."""

    @property
    def id(self) -> str:
        """Id of the app."""

    @property
    def status(self) -> str:
        """Status of the app."""

    @property
    def error(self) -> str:
        """Reason of the status `error`."""


def render_status(app: StatusSource, operation: Operation | None) -> pb.AppStatus:
    """Render the status of an app, with progress, step and time while an operation is under way."""
    if app.status in STABLE or operation is None:
        return pb.AppStatus(id=app.id, status=app.status, message=app.error or None)
    step, pace = operation.step, measure_pace(operation)
    description = step.description if step else ""
    return pb.AppStatus(
        id=app.id,
        status=app.status,
        message=operation.waiting_for or pace.describe(description) or None,
        operation=operation.kind,
        progress=pace.progress,
        determinate=pace.determinate,
        elapsed_s=pace.elapsed_s,
        expected_s=operation.expected_s,
        step=step.name if step else "",
        step_description=description,
        step_index=operation.step_index,
        step_count=operation.step_count,
        attempt=operation.attempt,
        started_at=render_time(operation.started_at or operation.created_at),
        updated_at=render_time(operation.updated_at),
        error=operation.error or None,
    )


def render_log(event: AppEvent) -> app_pb2.LogEntry:
    """Render a line of the log."""
    return app_pb2.LogEntry(
        id=event.id,
        timestamp=render_time(event.at),
        level=event.level,
        message=event.message,
        step=event.step,
    )


def render_operations(
    operations: Sequence[Operation], total: int, *, page: int, per_page: int
) -> pb.ListOperationsResponse:
    """Render a page of operations."""
    return pb.ListOperationsResponse(
        operations=[render_operation(item) for item in operations], total=total, page=page, per_page=per_page
    )
