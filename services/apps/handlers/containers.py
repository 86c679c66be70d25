"""Containers of the hosts beside those of the apps: discovery, adoption, reconciliation."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.handlers.base import BaseHandlers, requester
from services.apps.usecases import adoption as adopting
from services.apps.usecases import destroy_duplicate as duplicates
from services.apps.usecases import destroy_orphan as orphans
from services.apps.usecases.mark_container import mark_container
from services.clients.inventory.values import Ref
from services.common.rpc.call import Call


class AppContainerHandlers(BaseHandlers):
    """Containers of the hosts beside those of the apps: discovery, adoption, reconciliation."""

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
            self.world,
            ref,
            requester(call),
            kind=kind,
            port=port,
            owner_id=owner,
            replace_mark=request.replace_mark,
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

    async def mark_container(self, request: pb.MarkContainerRequest, call: Call) -> app_pb2.App:
        app = await self._get(request.app_id, call)
        marked = await mark_container(self.world, app, confirm=request.confirm)
        self.relay.wake()
        return self._render(marked)

    async def reconcile_apps(self, request: pb.ReconcileAppsRequest, _call: Call) -> pb.ReconcileAppsResponse:
        host_id = request.host_id if request.HasField("host_id") else None
        return convert.render_reconciled(await self.reconciler.reconcile(host_id, look_again=True))

    async def destroy_orphan(self, request: pb.DestroyOrphanRequest, call: Call) -> pb.AppOperationResponse:
        ref = Ref(request.host_id, request.vmid)
        mark = await orphans.destroy_orphan(self.world, ref, requester(call), grace=self.reconciler.grace)
        call.audit_target = mark
        self.relay.wake()
        call.add_location(f"/api/apps/{mark}/operations/{call.request_id}")
        return pb.AppOperationResponse(
            success=True,
            message=f"Destroying container {ref.vmid}, the orphan of {mark}",
            app_id=mark,
            operation_id=call.request_id,
        )

    async def destroy_duplicate(
        self, request: pb.DestroyDuplicateRequest, call: Call
    ) -> pb.AppOperationResponse:
        call.audit_target = f"{request.app_id} (container {request.vmid} of host {request.host_id})"
        ref = Ref(request.host_id, request.vmid)
        subject = await duplicates.destroy_duplicate(
            self.world, ref, requester(call), app_id=request.app_id, grace=self.reconciler.grace
        )
        self.relay.wake()
        call.add_location(f"/api/apps/{subject}/operations/{call.request_id}")
        return pb.AppOperationResponse(
            success=True,
            message=f"Destroying container {ref.vmid}, a duplicate of {request.app_id}",
            app_id=request.app_id,
            operation_id=call.request_id,
        )
