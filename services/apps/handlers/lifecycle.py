"""Operations on one app: power actions, clones, upgrades and migrations."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert.apps import parse_changes
from services.apps.convert.containers import render_targets
from services.apps.convert.upgrades import render_update
from services.apps.handlers.base import BaseHandlers, parse_requester
from services.apps.usecases import upgrades
from services.apps.usecases.clone_app import clone_app
from services.apps.usecases.list_migration_targets import list_migration_targets
from services.apps.usecases.migrate_app import migrate_app
from services.apps.usecases.perform_app_action import perform_app_action
from services.common.rpc.call import Call


class LifecycleHandlers(BaseHandlers):
    """Operations on one app: power actions, clones, upgrades and migrations."""

    async def perform_app_action(
        self, request: pb.PerformAppActionRequest, call: Call
    ) -> pb.PerformAppActionResponse:
        accepted = await perform_app_action(
            self.dependencies,
            request.app_id,
            action=request.action,
            requester=parse_requester(call, request.app_id),
        )
        self._accept(accepted, call)
        return pb.PerformAppActionResponse(
            success=True, message=accepted.message, operation_id=accepted.operation_id or None
        )

    async def clone_app(self, request: pb.CloneAppRequest, call: Call) -> pb.CloneAppResponse:
        clone = await clone_app(
            self.dependencies,
            request.app_id,
            requester=parse_requester(call, request.app_id),
            hostname=request.new_hostname,
        )
        self._announce(call, f"/api/apps/{clone.app.id}")
        return pb.CloneAppResponse(
            success=True,
            message=clone.message,
            source_app_id=request.app_id,
            new_hostname=clone.app.hostname,
            app_id=clone.app.id,
            operation_id=clone.operation_id,
        )

    async def get_app_update(self, request: pb.GetAppUpdateRequest, call: Call) -> pb.AppUpdate:
        call.audit_target = request.app_id
        update = await upgrades.get_app_update(
            self.dependencies, request.app_id, owner_filter=call.owner_filter, revision=request.revision
        )
        return render_update(update)

    async def upgrade_app(self, request: pb.UpgradeAppRequest, call: Call) -> pb.AppOperationResponse:
        accepted = await upgrades.upgrade_app(
            self.dependencies,
            request.app_id,
            requester=parse_requester(call, request.app_id),
            revision=request.revision,
            changes=parse_changes(request),
        )
        return self._render_accepted(accepted, call)

    async def rollback_app(self, request: pb.RollbackAppRequest, call: Call) -> pb.AppOperationResponse:
        accepted = await upgrades.rollback_app(
            self.dependencies, request.app_id, requester=parse_requester(call, request.app_id)
        )
        return self._render_accepted(accepted, call)

    async def migrate_app(self, request: pb.MigrateAppRequest, call: Call) -> pb.AppOperationResponse:
        accepted = await migrate_app(
            self.dependencies,
            request.app_id,
            requester=parse_requester(call, request.app_id),
            node=request.target_node,
        )
        return self._render_accepted(accepted, call)

    async def list_migration_targets(
        self, request: pb.ListMigrationTargetsRequest, call: Call
    ) -> pb.ListMigrationTargetsResponse:
        call.audit_target = request.app_id
        found, obstacles = await list_migration_targets(
            self.dependencies.store,
            self.dependencies.containers,
            app_id=request.app_id,
            owner_filter=call.owner_filter,
        )
        return render_targets(request.app_id, found, obstacles=obstacles)
