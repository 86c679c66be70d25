"""AppsService: one method per RPC: parse, call one function, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from google.api import httpbody_pb2
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import operation_pb2

from services.apps import convert
from services.apps.domain import adopting, orphans, updating, upgrading, usecases
from services.apps.domain.entities import STABLE, App, AppFilter
from services.apps.domain.errors import AppBusyError, ContainerNotFoundError
from services.apps.domain.interfaces import Ref
from services.apps.domain.neighbours import Backups
from services.apps.domain.reconciling import Reconciler
from services.apps.domain.usecases import Asked, World
from services.apps.metrics import Metrics
from services.apps.newest import NewestRevisions
from services.apps.showing import Showcase
from services.apps.store import SqlAppStore
from services.apps.watching import PING, Watcher, parse_event_id
from services.common.clock import now
from services.common.operations.records import render_operation
from services.common.outbox import Relay
from services.common.reading import parse_time
from services.common.rpc.call import Call
from services.common.rpc.rendered import Rendered
from services.common.rpc.times import render_time


@dataclass(frozen=True)
class AppsHandlers:
    """AppsService."""

    store: SqlAppStore
    world: World
    watcher: Watcher
    reconciler: Reconciler
    relay: Relay
    backups: Backups
    newest: NewestRevisions
    showcase: Showcase
    metrics: Metrics

    async def list_apps(self, request: pb.ListAppsRequest, call: Call) -> Rendered[pb.ListAppsResponse]:
        page, per_page = convert.parse_page(request)
        owner = request.owner if request.HasField("owner") else None
        wanted = AppFilter(
            owner_id=call.owner_filter if call.owner_filter is not None else owner,
            status=request.status if request.HasField("status") else None,
            search=request.search,
            host_id=request.host_id if request.HasField("host_id") else None,
        )
        answer, total = await self.showcase.list_apps(wanted, page=page, per_page=per_page, form=call.form)
        call.add_page_links(page=page, per_page=per_page, total=total)
        return answer

    async def deploy_app(self, request: pb.DeployAppRequest, call: Call) -> app_pb2.App:
        new = convert.parse_new_app(request, request_id=call.request_id, owner_id=call.user.id)
        app = await usecases.deploy_app(self.world, new, _asked(call))
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}")
        return self._render(app)

    async def get_app(self, request: pb.GetAppRequest, call: Call) -> Rendered[app_pb2.App]:
        call.audit_target = request.app_id
        version = await self.store.find_version(request.app_id, owner=call.owner_filter)
        live = None
        if version.status == "running" and version.vmid is not None:
            changed_at = parse_time(version.stamp).timestamp()
            live = await self.metrics.find(version.host_id, version.vmid, changed_at=changed_at)
        return await self.showcase.get_app(version, live=live, form=call.form)

    async def update_app(self, request: pb.UpdateAppRequest, call: Call) -> app_pb2.App:
        app = await self._get(request.app_id, call)
        await updating.update_app(
            self.world,
            app,
            _asked(call),
            name=request.name if request.HasField("name") else None,
            resources=convert.parse_resources(request),
            environment=dict(request.environment),
        )
        self.relay.wake()
        return self._render(await self._get(request.app_id, call))

    async def delete_app(self, request: pb.DeleteAppRequest, call: Call) -> pb.DeleteAppResponse:
        app = await self._get(request.app_id, call)
        message, operation_id = await self._act(app, "delete", call)
        return pb.DeleteAppResponse(id=app.id, status="removing", message=message, operation_id=operation_id)

    async def get_app_status(self, request: pb.GetAppStatusRequest, call: Call) -> pb.AppStatus:
        call.audit_target = request.app_id
        app = await self.store.find_version(request.app_id, owner=call.owner_filter)
        operation = None if app.status in STABLE else await self.store.find_unfinished(app.id)
        return convert.render_status(app, operation)

    async def perform_app_action(
        self, request: pb.PerformAppActionRequest, call: Call
    ) -> pb.PerformAppActionResponse:
        app = await self._get(request.app_id, call)
        message, operation_id = await self._act(app, request.action, call)
        return pb.PerformAppActionResponse(success=True, message=message, operation_id=operation_id or None)

    async def clone_app(self, request: pb.CloneAppRequest, call: Call) -> pb.CloneAppResponse:
        source = await self._get(request.app_id, call)
        app = await usecases.clone_app(self.world, source, _asked(call), hostname=request.new_hostname)
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

    async def upgrade_app(self, request: pb.UpgradeAppRequest, call: Call) -> pb.AppOperationResponse:
        app = await self._get(request.app_id, call)
        message = await upgrading.upgrade_app(self.world, app, _asked(call), revision=request.revision)
        return self._accept(app, call, message)

    async def rollback_app(self, request: pb.RollbackAppRequest, call: Call) -> pb.AppOperationResponse:
        app = await self._get(request.app_id, call)
        message = await upgrading.rollback_app(self.world, self.backups, app, _asked(call))
        return self._accept(app, call, message)

    async def migrate_app(self, request: pb.MigrateAppRequest, call: Call) -> pb.AppOperationResponse:
        app = await self._get(request.app_id, call)
        await usecases.migrate_app(self.world, app, _asked(call), node=request.target_node)
        return self._accept(app, call, f"Moving {app.hostname} to {request.target_node}")

    async def discover_containers(
        self, request: pb.DiscoverContainersRequest, _call: Call
    ) -> AsyncIterator[app_pb2.DiscoveredContainer]:
        host_id = request.host_id if request.HasField("host_id") else None
        for container in await adopting.discover_containers(self.world, host_id):
            yield convert.render_discovered(container)

    async def adopt_container(
        self, request: pb.AdoptContainerRequest, call: Call
    ) -> pb.AdoptContainerResponse:
        kind = request.suggested_type or "custom"
        port = request.port_to_expose if request.HasField("port_to_expose") else None
        owner = request.owner if request.HasField("owner") else call.user.id
        ref = Ref(request.host_id, request.vmid, request.node_name)
        app = await adopting.adopt_container(
            self.world, ref, _asked(call), kind=kind, port=port, owner_id=owner
        )
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}")
        return pb.AdoptContainerResponse(
            success=True,
            message=f"Adopting {app.hostname}",
            app_id=app.id,
            vmid=request.vmid,
            node=app.node,
            type=kind,
            port_detection=f"manual:{port}" if port is not None else "automatic",
            operation_id=call.request_id,
        )

    async def list_app_logs(
        self, request: pb.ListAppLogsRequest, call: Call
    ) -> Rendered[pb.ListAppLogsResponse]:
        limit = request.tail or request.limit or 100
        return await self.showcase.list_logs(
            request.app_id, owner=call.owner_filter, limit=limit, level=request.level, form=call.form
        )

    async def get_app_stats(self, request: pb.GetAppStatsRequest, call: Call) -> pb.AppStats:
        app = await self._get(request.app_id, call)
        live = None if app.vmid is None else await self.world.containers.find(_ref(app), timeout=5)
        if live is None:
            raise ContainerNotFoundError(f"{app.id} has no container")
        return convert.render_stats(live)

    async def list_operations(
        self, request: pb.ListOperationsRequest, call: Call
    ) -> Rendered[pb.ListOperationsResponse]:
        page, per_page = convert.parse_page(request)
        answer, total = await self.showcase.list_operations(
            request.app_id, owner=call.owner_filter, page=page, per_page=per_page, form=call.form
        )
        call.add_page_links(page=page, per_page=per_page, total=total)
        return answer

    async def get_operation(self, request: pb.GetOperationRequest, call: Call) -> operation_pb2.Operation:
        app_id = request.app_id
        # Refuses what is not the owner's; administrators also see what is left of an app that is gone.
        await self.store.list_operation_versions(app_id, owner=call.owner_filter, page=1, per_page=1)
        return render_operation(await self.store.find_operation(request.operation_id, app_id=app_id))

    async def cancel_operation(
        self, request: pb.CancelOperationRequest, call: Call
    ) -> operation_pb2.Operation:
        app = await self._get(request.app_id, call)
        operation = await self.store.find_operation(request.operation_id, app_id=app.id)
        await usecases.cancel_operation(self.store, self.backups, operation)
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}/operations/{request.operation_id}")
        return render_operation(await self.store.find_operation(request.operation_id, app_id=app.id))

    async def watch_app_events(
        self, request: pb.WatchAppEventsRequest, call: Call
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        app = await self._get(request.app_id, call)
        after = parse_event_id(call.metadata.get("last-event-id", ""))
        async for happening in self.watcher.follow(app.id, after=after):
            frame = happening.frame if happening is not None else PING
            yield httpbody_pb2.HttpBody(content_type="text/event-stream", data=frame)

    async def stream_app_events(
        self, request: pb.StreamAppEventsRequest, call: Call
    ) -> AsyncIterator[pb.AppEvent]:
        app = await self._get(request.app_id, call)
        async for happening in self.watcher.follow(app.id, after=parse_event_id(request.last_event_id)):
            yield (happening.event if happening is not None else pb.AppEvent(timestamp=render_time(now())))

    async def reconcile_apps(self, request: pb.ReconcileAppsRequest, _call: Call) -> pb.ReconcileAppsResponse:
        host_id = request.host_id if request.HasField("host_id") else None
        return convert.render_reconciled(await self.reconciler.reconcile(host_id, look_again=True))

    async def destroy_orphan(self, request: pb.DestroyOrphanRequest, call: Call) -> pb.AppOperationResponse:
        ref = Ref(request.host_id, request.vmid)
        mark = await orphans.destroy_orphan(self.world, ref, _asked(call), grace=self.reconciler.grace)
        call.audit_target = mark
        self.relay.wake()
        call.add_location(f"/api/apps/{mark}/operations/{call.request_id}")
        return pb.AppOperationResponse(
            success=True,
            message=f"Destroying container {ref.vmid}, the orphan of {mark}",
            app_id=mark,
            operation_id=call.request_id,
        )

    async def list_dead_letters(
        self, request: pb.ListDeadLettersRequest, call: Call
    ) -> pb.ListOperationsResponse:
        page, per_page = convert.parse_page(request)
        found, total = await self.store.list_operations(None, page=page, per_page=per_page, status="dead")
        call.add_page_links(page=page, per_page=per_page, total=total)
        return convert.render_operations(found, total, page=page, per_page=per_page)

    async def replay_operation(
        self, request: pb.ReplayOperationRequest, call: Call
    ) -> operation_pb2.Operation:
        operation = await self.store.find_operation(request.operation_id)
        if not await self.store.replay(operation.id):
            raise AppBusyError(f"operation {operation.id} is {operation.status} and was not given up")
        call.add_location(f"/api/apps/{operation.app_id}/operations/{operation.id}")
        self.relay.wake()
        return render_operation(await self.store.find_operation(operation.id))

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

    async def _act(self, app: App, action: str, call: Call) -> tuple[str, str]:
        message = await usecases.perform_action(self.world, app, action, _asked(call))
        self.relay.wake()
        if message is None:
            call.set_status(200)
            return f"{app.hostname} is {app.status} already", ""
        call.add_location(f"/api/apps/{app.id}/status")
        return message, call.request_id


def _asked(call: Call) -> Asked:
    return Asked(call.request_id, call.user.id)


def _ref(app: App) -> Ref:
    return Ref(app.host_id, app.vmid or 0, app.node)
