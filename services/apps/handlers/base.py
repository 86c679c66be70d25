"""What the handlers of AppsService share: their dependencies, and the answers that several RPCs give."""

from __future__ import annotations

from dataclasses import dataclass

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.domain.entities import App
from services.apps.domain.neighbours import Backups
from services.apps.domain.values import ValueChanges, list_disclosed
from services.apps.handlers.app_renderer import AppRenderer
from services.apps.handlers.event_stream import Watcher
from services.apps.store import SqlAppStore
from services.apps.usecases import delete_app as deleting
from services.apps.usecases import dependencies as usecases
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.apps.usecases.container_metrics import Metrics
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.reconcile_apps import Reconciler
from services.common.messaging.outbox import Relay
from services.common.rpc.call import Call
from services.common.rpc.step_up import check_recent_sign_in


@dataclass(frozen=True)
class BaseHandlers:
    """Dependencies of the handlers, and steps that several of them take."""

    store: SqlAppStore
    world: AppDependencies
    watcher: Watcher
    reconciler: Reconciler
    relay: Relay
    backups: Backups
    newest: CatalogUpdates
    showcase: AppRenderer
    metrics: Metrics

    async def _get(self, app_id: str, call: Call) -> App:
        call.audit_target = app_id
        return await self.store.get_app(app_id, owner=call.owner_filter)

    def _render(self, app: App) -> app_pb2.App:
        return convert.render_app(app, update=self.newest.find_update(app))

    def _accept(self, app: App, call: Call, message: str) -> pb.AppOperationResponse:
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}/status")
        return pb.AppOperationResponse(
            success=True, message=message, app_id=app.id, operation_id=call.request_id
        )

    def _parse_changes(
        self, request: pb.UpdateAppRequest | pb.UpgradeAppRequest, app: App, call: Call
    ) -> ValueChanges:
        """The changes of values that a call asks for.

        Raises:
            StepUpRequiredError: one shows a secret value that is there, as RevealSecrets would.
        """
        changes = convert.parse_changes(request)
        if disclosed := list_disclosed(app, changes):
            check_recent_sign_in(call.caller)
            call.audit_target = f"{app.id}: shows {', '.join(disclosed)}"
        return changes

    async def _delete(
        self, app: App, call: Call, *, delete_backups: bool = False, keep_container: bool = False
    ) -> deleting.Deletion:
        if delete_backups:  # without them nothing brings the app back
            check_recent_sign_in(call.caller)
        found = await deleting.delete_app(
            self.world,
            self.backups,
            app,
            requester(call),
            delete_backups=delete_backups,
            keep_container=keep_container,
        )
        self.relay.wake()
        if found.operation_id:
            call.add_location(f"/api/apps/{app.id}/status")
        else:
            call.set_status(200)
        return found

    async def _act(self, app: App, action: str, call: Call) -> tuple[str, str]:
        if action == "delete":
            deletion = await self._delete(app, call)
            return deletion.message, deletion.operation_id
        message = await usecases.perform_action(self.world, app, action, requester(call))
        self.relay.wake()
        if message is None:
            call.set_status(200)
            return f"{app.hostname} is {app.status} already", ""
        call.add_location(f"/api/apps/{app.id}/status")
        return message, call.request_id


def requester(call: Call) -> Requester:
    """The operation that a call asks for, and by whom."""
    return Requester(call.request_id, call.user.id)
