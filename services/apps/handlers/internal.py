"""AppsInternalService: RPCs for other services."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import internal as convert
from services.apps.convert.deployment_plan import parse_plan_request, render_plan
from services.apps.usecases import apps, delegated_operations
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.plan_deployment import plan_deployment
from services.apps.usecases.probe_app import probe_app
from services.apps.usecases.restore_beside import (
    MakeBeside,
    check_restore_beside,
    restore_beside,
    restore_elsewhere,
)
from services.common.messaging.outbox import Relay
from services.common.rpc.call import Call


@dataclass(frozen=True, kw_only=True)
class AppsInternalHandlers:
    """AppsInternalService."""

    dependencies: AppDependencies
    relay: Relay

    async def plan_deployment(self, request: pb.PlanDeploymentRequest, call: Call) -> pb.DeploymentPlan:
        new = parse_plan_request(request, call.caller.user)
        dependencies = self.dependencies
        plan = await plan_deployment(
            new,
            dependencies.catalog,
            containers=dependencies.containers,
            apps=dependencies.store,
            quotas=dependencies.quotas,
        )
        return render_plan(plan)

    async def begin_operation(self, request: pb.BeginOperationRequest, call: Call) -> pb.AppHold:
        lock = await delegated_operations.begin_operation(
            self.dependencies.store,
            request.app_id,
            operation_id=request.operation_id,
            kind=request.kind,
            made_by=request.made_by,
            user_id=_find_user_id(call),
        )
        self.relay.wake()
        return convert.render_lock(lock)

    async def report_operation(self, request: pb.ReportOperationRequest, _call: Call) -> Empty:
        await delegated_operations.report_operation(
            self.dependencies.store,
            request.app_id,
            operation_id=request.operation_id,
            report=convert.parse_report(request),
        )
        return Empty()

    async def probe_app(self, request: pb.ProbeAppRequest, _call: Call) -> pb.ProbeAppResponse:
        store, containers = self.dependencies.store, self.dependencies.containers
        answer = await probe_app(store, containers, app_id=request.app_id, operation_id=request.operation_id)
        return convert.render_answer(answer)

    async def get_operation_standing(
        self, request: pb.GetOperationStandingRequest, _call: Call
    ) -> pb.OperationStanding:
        standing = await delegated_operations.get_operation_standing(
            self.dependencies.store, request.operation_id
        )
        return pb.OperationStanding(status=standing)

    async def find_removed_apps(
        self, request: pb.FindRemovedAppsRequest, _call: Call
    ) -> pb.FindRemovedAppsResponse:
        removed = await apps.find_removed_apps(self.dependencies.store, request.app_ids)
        return pb.FindRemovedAppsResponse(app_ids=removed)

    async def finish_operation(self, request: pb.FinishOperationRequest, _call: Call) -> Empty:
        await delegated_operations.finish_operation(
            self.dependencies.store,
            request.app_id,
            operation_id=request.operation_id,
            succeeded=request.succeeded,
            message=request.message,
            status=request.status,
        )
        self.relay.wake()
        return Empty()

    async def get_app_hold(self, request: pb.GetAppHoldRequest, call: Call) -> pb.AppHold:
        user = call.caller.user
        lock = await delegated_operations.get_app_hold(
            self.dependencies.store,
            request.app_id,
            user_id=request.user_id if request.HasField("user_id") else None,
            is_admin=user is not None and user.is_admin,
        )
        return convert.render_lock(lock)

    async def list_app_holds(self, request: pb.ListAppHoldsRequest, _call: Call) -> pb.ListAppHoldsResponse:
        found = await delegated_operations.list_app_holds(
            self.dependencies.store, after=request.after, limit=request.limit
        )
        return pb.ListAppHoldsResponse(apps=[convert.render_lock(one) for one in found])

    async def check_restore_beside(self, request: pb.RestoreBesideRequest, call: Call) -> pb.RestoreObstacles:
        found = await check_restore_beside(
            self.dependencies,
            convert.parse_backed_up(request),
            requester=Requester(request.operation_id, _find_user_id(call)),
            hostname=request.new_hostname,
        )
        return pb.RestoreObstacles(obstacles=found)

    async def restore_elsewhere(self, request: pb.RestoreBesideRequest, call: Call) -> pb.CloneAppResponse:
        return await self._restore(restore_elsewhere, request, call=call)

    async def restore_beside(self, request: pb.RestoreBesideRequest, call: Call) -> pb.CloneAppResponse:
        return await self._restore(restore_beside, request, call=call)

    async def _restore(
        self, use_case: MakeBeside, request: pb.RestoreBesideRequest, *, call: Call
    ) -> pb.CloneAppResponse:
        app = await use_case(
            self.dependencies,
            convert.parse_backed_up(request),
            requester=Requester(request.operation_id, _find_user_id(call)),
            hostname=request.new_hostname,
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
        count = await apps.count_apps(
            self.dependencies.store,
            host_id=request.host_id if request.HasField("host_id") else None,
            revision=request.revision,
        )
        return pb.CountAppsResponse(count=count)


def _find_user_id(call: Call) -> int | None:
    """Return the user for whom a service calls."""
    return call.caller.user.id if call.caller.user else None
