"""Dependencies of the handlers of AppsService, and the answers that several RPCs give."""

from __future__ import annotations

from dataclasses import dataclass, field

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import App
from services.apps.events.hub import EventHub
from services.apps.events.stream import Watcher
from services.apps.handlers.app_renderer import AppRenderer
from services.apps.usecases.container_metrics import ContainerMetrics
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import Accepted
from services.apps.usecases.output import OutputStreams
from services.clients.inventory.terminals import Terminals
from services.common.messaging.outbox import Relay
from services.common.rpc.call import Call
from services.common.rpc.interceptors.authorization import check_recent_sign_in


@dataclass(frozen=True, kw_only=True)
class BaseHandlers:
    """Dependencies of the handlers, and answers that several of them give."""

    dependencies: AppDependencies
    relay: Relay
    renderer: AppRenderer
    watcher: Watcher
    hub: EventHub
    metrics: ContainerMetrics
    terminals: Terminals
    output_streams: OutputStreams = field(default_factory=OutputStreams)

    def _announce(self, call: Call, location: str) -> None:
        """Have the operation of a call begin at once, and name the place of its status."""
        self.relay.wake()
        call.add_location(location)

    def _show(self, app: App, call: Call) -> app_pb2.App:
        """Answer with an app that an operation of this call makes."""
        self._announce(call, f"/api/apps/{app.id}")
        return self.renderer.render_app(app)

    def _accept(self, accepted: Accepted, call: Call) -> None:
        """Answer 202 with the place of the status, or 200 where there is nothing to do."""
        if accepted.operation_id:
            self._announce(call, f"/api/apps/{accepted.app.id}/status")
        else:
            call.set_status(200)

    def _render_accepted(self, accepted: Accepted, call: Call) -> pb.AppOperationResponse:
        self._accept(accepted, call)
        return pb.AppOperationResponse(
            success=True,
            message=accepted.message,
            app_id=accepted.app.id,
            operation_id=accepted.operation_id,
        )


def parse_requester(call: Call, target: str = "") -> Requester:
    """Parse the requester of an operation on `target`, which the audit entry names."""
    # Before the use case runs, as the audit entry is written in the transaction of the change.
    call.audit_target = target or call.audit_target

    def confirm(confirmed: str) -> None:
        check_recent_sign_in(call.caller)
        call.audit_target = confirmed

    def name_target(known: str) -> None:
        call.audit_target = known

    return Requester(call.request_id, call.user.id, call.owner_filter, confirm, name_target)
