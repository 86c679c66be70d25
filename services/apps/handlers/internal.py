"""AppsInternalService: what other services ask of apps."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.empty_pb2 import Empty
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import internal as convert_internal
from services.apps.convert.deployment_plan import parse_plan_request, render_plan
from services.apps.domain.entities import STABLE, AddLog, Change, ChangeApp, NewAppOperation, RestoreVersion
from services.apps.domain.errors import AppStateError
from services.apps.domain.marks import require_managed
from services.apps.store import SqlAppStore
from services.apps.usecases import dependencies as usecases
from services.apps.usecases import restore_beside as restoring
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.plan_deployment import plan_deployment
from services.apps.usecases.probe_app import probe_app
from services.common.core.clock import now
from services.common.core.errors import invalid_field
from services.common.messaging.outbox import Relay
from services.common.rpc.call import Call

_HELD = {"backup": "backing_up", "restore": "restoring"}
_LEVELS = ("info", "warning", "error")


@dataclass(frozen=True)
class AppsInternalHandlers:
    """AppsInternalService."""

    store: SqlAppStore
    world: AppDependencies
    relay: Relay

    async def plan_deployment(self, request: pb.PlanDeploymentRequest, call: Call) -> pb.DeploymentPlan:
        new = parse_plan_request(request, call.caller.user)
        plan = await plan_deployment(new, self.world.catalog, self.world.containers)
        return render_plan(plan)

    async def begin_operation(self, request: pb.BeginOperationRequest, call: Call) -> pb.AppHold:
        app = await self.store.get_app(request.app_id)
        operation = await self.store.find_unfinished(app.id)
        if operation is not None and operation.id == request.operation_id:
            previous = await self.store.get_held_status(operation.id)
            return convert_internal.render_hold(app, operation, status=previous)
        usecases.require_stable(app)
        if app.vmid is None:
            raise AppStateError(f"{app.id} has no container")
        require_managed(app)
        user, upgrade = call.caller.user, await self.store.find_upgrade(app.id)
        begin = NewAppOperation(
            id=request.operation_id,
            kind=request.kind,
            status=_HELD[request.kind],
            state={
                "app_id": app.id,
                "previous": app.status,
                "upgrade_id": upgrade.id if upgrade else "",
                "made_by": request.made_by,
            },
            requested_by=user.id if user else None,
            held=True,
            seen=app.updated_at,
        )
        await self.store.begin(app.id, begin)
        self.relay.wake()
        return convert_internal.render_hold(app, await self.store.find_operation(begin.id), status=app.status)

    async def report_operation(self, request: pb.ReportOperationRequest, _call: Call) -> Empty:
        values: dict[str, Any] = {
            "progress": min(max(request.progress, 0), 100),
            "step_index": request.step_index,
            "step_count": request.step_count,
        }
        if request.worker:
            values |= {"worker": request.worker, "attempt": request.attempt}
        level = request.level if request.level in _LEVELS else "info"
        lines = [AddLog(request.app_id, request.message, level, request.step)] if request.message else []
        await self.store.report(
            request.operation_id, values, *lines, step=convert_internal.parse_held_step(request)
        )
        return Empty()

    async def probe_app(self, request: pb.ProbeAppRequest, _call: Call) -> pb.ProbeAppResponse:
        answer = await probe_app(self.store, self.world.containers, request.app_id, request.operation_id)
        return convert_internal.render_answer(answer)

    async def get_operation_standing(
        self, request: pb.GetOperationStandingRequest, _call: Call
    ) -> pb.OperationStanding:
        return pb.OperationStanding(status=await self.store.find_standing(request.operation_id))

    async def find_removed_apps(
        self, request: pb.FindRemovedAppsRequest, _call: Call
    ) -> pb.FindRemovedAppsResponse:
        there = await self.store.list_existing(request.app_ids)
        return pb.FindRemovedAppsResponse(app_ids=[one for one in request.app_ids if one not in there])

    async def finish_operation(self, request: pb.FinishOperationRequest, _call: Call) -> Empty:
        if request.status and request.status not in STABLE:
            raise invalid_field("status", f"{request.status!r} is not one of {', '.join(sorted(STABLE))}")
        operation = await self.store.find_operation(request.operation_id, app_id=request.app_id)
        if not operation.delegated:  # one of ours that had a backup made, and goes on
            return Empty()
        status = request.status or await self.store.get_held_status(operation.id)
        error = "" if request.succeeded else request.message
        values = {
            "status": "succeeded" if request.succeeded else "failed",
            "progress": 100 if request.succeeded else operation.progress,
            "error": error,
            "finished_at": now(),
        }
        changes: list[Change] = [
            ChangeApp(request.app_id, {"status": status, "error": error if status == "error" else ""})
        ]
        if request.succeeded:
            changes.append(RestoreVersion(request.app_id, operation.id))
        if request.message:
            level = "info" if request.succeeded else "error"
            changes.append(AddLog(request.app_id, request.message, level, operation.kind))
        await self.store.report(operation.id, values, *changes)
        self.relay.wake()
        return Empty()

    async def get_app_hold(self, request: pb.GetAppHoldRequest, call: Call) -> pb.AppHold:
        user = call.caller.user
        asked_for = request.user_id if request.HasField("user_id") else None
        owner = None if user is not None and user.is_admin else asked_for
        app = await self.store.get_app(request.app_id, owner=owner)
        return convert_internal.render_hold(app, await self.store.find_unfinished(app.id))

    async def restore_beside(self, request: pb.RestoreBesideRequest, call: Call) -> pb.CloneAppResponse:
        user = call.caller.user
        asked = Requester(request.operation_id, user.id if user else None)
        app = await restoring.restore_beside(
            self.world, convert_internal.parse_backed_up(request), asked, hostname=request.new_hostname
        )
        self.relay.wake()
        return pb.CloneAppResponse(
            success=True,
            message=f"Restoring a backup of {request.source_app_id} as {app.hostname}",
            source_app_id=request.source_app_id,
            new_hostname=app.hostname,
            app_id=app.id,
            operation_id=request.operation_id,
        )

    async def count_apps(self, request: pb.CountAppsRequest, _call: Call) -> pb.CountAppsResponse:
        host_id = request.host_id if request.HasField("host_id") else None
        return pb.CountAppsResponse(
            count=await self.store.count_apps(host_id=host_id, revision=request.revision)
        )
