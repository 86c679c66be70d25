"""What is done to one app: power actions, clones, upgrades and migrations."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import upgrades as inputs
from services.apps.handlers.base import BaseHandlers, requester
from services.apps.usecases import dependencies as usecases
from services.apps.usecases import upgrades as upgrading
from services.common.rpc.call import Call


class LifecycleHandlers(BaseHandlers):
    """What is done to one app: power actions, clones, upgrades and migrations."""

    async def perform_app_action(
        self, request: pb.PerformAppActionRequest, call: Call
    ) -> pb.PerformAppActionResponse:
        app = await self._get(request.app_id, call)
        message, operation_id = await self._act(app, request.action, call)
        return pb.PerformAppActionResponse(success=True, message=message, operation_id=operation_id or None)

    async def clone_app(self, request: pb.CloneAppRequest, call: Call) -> pb.CloneAppResponse:
        source = await self._get(request.app_id, call)
        app = await usecases.clone_app(self.world, source, requester(call), hostname=request.new_hostname)
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}")
        return pb.CloneAppResponse(
            success=True,
            message=f"Cloning {source.hostname} to {app.hostname}",
            source_app_id=source.id,
            new_hostname=app.hostname,
            app_id=app.id,
            operation_id=call.request_id,
        )

    async def get_app_update(self, request: pb.GetAppUpdateRequest, call: Call) -> pb.AppUpdate:
        app = await self._get(request.app_id, call)
        update = await upgrading.get_app_update(self.world, app, revision=request.revision)
        return inputs.render_update(app, update)

    async def upgrade_app(self, request: pb.UpgradeAppRequest, call: Call) -> pb.AppOperationResponse:
        app = await self._get(request.app_id, call)
        message = await upgrading.upgrade_app(
            self.world,
            app,
            requester(call),
            revision=request.revision,
            changes=self._parse_changes(request, app, call),
        )
        return self._accept(app, call, message)

    async def rollback_app(self, request: pb.RollbackAppRequest, call: Call) -> pb.AppOperationResponse:
        app = await self._get(request.app_id, call)
        message = await upgrading.rollback_app(self.world, self.backups, app, requester(call))
        return self._accept(app, call, message)

    async def migrate_app(self, request: pb.MigrateAppRequest, call: Call) -> pb.AppOperationResponse:
        app = await self._get(request.app_id, call)
        await usecases.migrate_app(self.world, app, requester(call), node=request.target_node)
        return self._accept(app, call, f"Moving {app.hostname} to {request.target_node}")
