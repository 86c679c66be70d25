"""Containers of the hosts beside those of the apps: discovery, adoption, reconciliation."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import containers as convert
from services.apps.handlers.base import BaseHandlers, parse_requester
from services.apps.usecases.adoption import adopt_container, discover_containers
from services.apps.usecases.destroy_duplicate import destroy_duplicate
from services.apps.usecases.destroy_orphan import destroy_orphan
from services.apps.usecases.get_discovered_container import get_discovered_container
from services.apps.usecases.mark_container import mark_container
from services.apps.usecases.reconcile_apps import reconcile_apps
from services.clients.inventory.values import Ref
from services.common.rpc.call import Call


class AppContainerHandlers(BaseHandlers):
    """Containers of the hosts beside those of the apps: discovery, adoption, reconciliation."""

    async def discover_containers(
        self, request: pb.DiscoverContainersRequest, _call: Call
    ) -> AsyncIterator[app_pb2.DiscoveredContainer]:
        host_id = request.host_id if request.HasField("host_id") else None
        for container in await discover_containers(self.dependencies, host_id):
            yield convert.render_discovered(container)

    async def get_discovered_container(
        self, request: pb.GetDiscoveredContainerRequest, call: Call
    ) -> pb.ContainerDetails:
        call.audit_target = f"container {request.vmid} of host {request.host_id}"
        details = await get_discovered_container(
            self.dependencies, host_id=request.host_id, vmid=request.vmid
        )
        return convert.render_details(details)

    async def adopt_container(
        self, request: pb.AdoptContainerRequest, call: Call
    ) -> pb.AdoptContainerResponse:
        app = await adopt_container(
            self.dependencies,
            Ref(request.host_id, request.vmid, request.node_name),
            requester=parse_requester(call),
            kind=request.suggested_type,
            port=request.port_to_expose if request.HasField("port_to_expose") else None,
            owner_id=request.owner if request.HasField("owner") else None,
            replace_mark=request.replace_mark,
        )
        self._announce(call, f"/api/apps/{app.id}")
        return convert.render_adoption(app, operation_id=call.request_id)

    async def mark_container(self, request: pb.MarkContainerRequest, call: Call) -> app_pb2.App:
        call.audit_target = request.app_id
        marked = await mark_container(
            self.dependencies, request.app_id, owner_filter=call.owner_filter, confirm=request.confirm
        )
        self.relay.wake()
        return self.renderer.render_app(marked)

    async def reconcile_apps(self, request: pb.ReconcileAppsRequest, _call: Call) -> pb.ReconcileAppsResponse:
        host_id = request.host_id if request.HasField("host_id") else None
        result = await reconcile_apps(self.dependencies, host_id=host_id, look_again=True)
        return convert.render_reconciled(result)

    async def destroy_orphan(self, request: pb.DestroyOrphanRequest, call: Call) -> pb.AppOperationResponse:
        ref = Ref(request.host_id, request.vmid)
        mark = await destroy_orphan(
            self.dependencies, ref, requester=parse_requester(call), grace=self.dependencies.orphan_grace
        )
        self._announce(call, f"/api/apps/{mark}/operations/{call.request_id}")
        return pb.AppOperationResponse(
            success=True,
            message=f"Destroying container {ref.vmid}, the orphan of {mark}",
            app_id=mark,
            operation_id=call.request_id,
        )

    async def destroy_duplicate(
        self, request: pb.DestroyDuplicateRequest, call: Call
    ) -> pb.AppOperationResponse:
        ref = Ref(request.host_id, request.vmid)
        subject = await destroy_duplicate(
            self.dependencies,
            ref,
            requester=parse_requester(call, f"{request.app_id} (container {ref.vmid} of host {ref.host_id})"),
            app_id=request.app_id,
            grace=self.dependencies.orphan_grace,
        )
        self._announce(call, f"/api/apps/{subject}/operations/{call.request_id}")
        return pb.AppOperationResponse(
            success=True,
            message=f"Destroying container {ref.vmid}, a duplicate of {request.app_id}",
            app_id=request.app_id,
            operation_id=call.request_id,
        )
