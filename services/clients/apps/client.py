"""Apps over gRPC: `Apps` of `interface`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from google.protobuf.message import Message
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsInternalServiceStub

from services.clients.apps.values import (
    AppHold,
    AppProbe,
    AppProbeTarget,
    NewAppAnswer,
    ProgressReport,
    RestoreBesideOrder,
)
from services.common.identity.tokens import User
from services.common.rpc.client import Clients

_ATTEMPT_S = 4.0  # three attempts end before a worker takes up what was only recorded (15 s)
_PROBE_S = 30.0  # apps asks inventory, which probes from its process and from inside
_RESTORE_S = 10.0  # apps chooses a place and reserves an id on the host
_HOLDS = 500  # apps of one answer, the most that apps returns: about 100 KB
_REMOVED_S = 10.0  # a lookup of 500 ids


class GrpcApps:
    """Apps on the wire."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get_app_hold(self, app_id: str, *, user_id: int | None) -> AppHold:
        """See `Apps.get_app_hold`."""
        return _parse_hold(
            await self._call("GetAppHold", pb.GetAppHoldRequest(app_id=app_id, user_id=user_id))
        )

    async def list_app_holds(self) -> list[AppHold]:
        """See `Apps.list_app_holds`."""
        found: list[AppHold] = []
        while True:
            after = found[-1].app_id if found else ""
            request = pb.ListAppHoldsRequest(after=after, limit=_HOLDS)
            page = (await self._call("ListAppHolds", request, timeout=_REMOVED_S)).apps
            found += [_parse_hold(one) for one in page]
            if len(page) < _HOLDS:
                return found

    async def begin_operation(
        self, app_id: str, operation_id: str, *, kind: str, made_by: str = "", user: User | None = None
    ) -> AppHold:
        """See `Apps.begin_operation`."""
        request = pb.BeginOperationRequest(
            app_id=app_id, operation_id=operation_id, kind=kind, made_by=made_by
        )
        return _parse_hold(await self._call("BeginOperation", request, user=user))

    async def report_operation(self, app_id: str, operation_id: str, *, report: ProgressReport) -> None:
        """See `Apps.report_operation`."""
        await self._call("ReportOperation", _render_report(app_id, operation_id, report=report))

    async def finish_operation(
        self, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
    ) -> None:
        """See `Apps.finish_operation`."""
        request = pb.FinishOperationRequest(
            app_id=app_id, operation_id=operation_id, succeeded=succeeded, message=message, status=status
        )
        await self._call("FinishOperation", request)

    async def probe_app(self, app_id: str, operation_id: str) -> AppProbe:
        """See `Apps.probe_app`."""
        request = pb.ProbeAppRequest(app_id=app_id, operation_id=operation_id)
        probe = await self._call("ProbeApp", request, timeout=_PROBE_S)
        return AppProbe(probe.answered, probe.port, probe.grace_s, probe.message)

    async def restore_beside(self, order: RestoreBesideOrder, *, user: User | None) -> NewAppAnswer:
        """See `Apps.restore_beside`."""
        request = pb.RestoreBesideRequest(**dataclasses.asdict(order))
        # Apps of the release before would ignore the target of RestoreBeside, and does not know the other call.
        method = "RestoreElsewhere" if order.is_elsewhere else "RestoreBeside"
        answer = await self._call(method, request, user=user, timeout=_RESTORE_S)
        return NewAppAnswer(answer.app_id, answer.message)

    async def check_restore_beside(self, order: RestoreBesideOrder, *, user: User | None) -> list[str]:
        """See `Apps.check_restore_beside`."""
        request = pb.RestoreBesideRequest(**dataclasses.asdict(order))
        answer = await self._call("CheckRestoreBeside", request, user=user, timeout=_RESTORE_S)
        return list(answer.obstacles)

    async def get_operation_standing(self, operation_id: str) -> str:
        """See `Apps.get_operation_standing`."""
        request = pb.GetOperationStandingRequest(operation_id=operation_id)
        return str((await self._call("GetOperationStanding", request)).status)

    async def find_removed_apps(self, app_ids: Sequence[str]) -> list[str]:
        """See `Apps.find_removed_apps`."""
        request = pb.FindRemovedAppsRequest(app_ids=app_ids)
        return list((await self._call("FindRemovedApps", request, timeout=_REMOVED_S)).app_ids)

    async def _call(
        self, method: str, request: Message, *, user: User | None = None, timeout: float = _ATTEMPT_S
    ) -> Any:
        return await self._clients.call(
            "apps", AppsInternalServiceStub, method=method, request=request, user=user, timeout=timeout
        )


def _parse_hold(hold: pb.AppHold) -> AppHold:
    return AppHold(
        app_id=hold.app_id,
        name=hold.name or hold.hostname,
        status=hold.status,
        host_id=hold.host_id,
        vmid=hold.vmid,
        node=hold.node,
        owner_id=hold.owner_id,
        operation_id=hold.operation_id,
        storage=hold.storage,
        created_at=hold.created_at.ToDatetime(UTC) if hold.HasField("created_at") else None,
        runtime=hold.runtime,
        probe=_parse_target(hold.probe) if hold.HasField("probe") else None,
        obstacle=hold.obstacle,
        settled_status=hold.settled_status,
    )


def _parse_target(target: pb.AppProbeTarget) -> AppProbeTarget:
    return AppProbeTarget(scheme=target.scheme, port=target.port, path=target.path, grace_s=target.grace_s)


def _render_report(app_id: str, operation_id: str, *, report: ProgressReport) -> pb.ReportOperationRequest:
    return pb.ReportOperationRequest(
        app_id=app_id,
        operation_id=operation_id,
        progress=report.progress,
        step=report.step,
        step_description=report.description,
        step_index=report.step_index,
        step_count=report.step_count,
        message=report.message,
        level=report.level if report.message else "",
        attempt=report.attempt,
        worker=report.worker,
        upid=report.upid,
        waiting_for=report.waiting_for,
    )
